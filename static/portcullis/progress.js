// A field [data-progress]: asks each second how far something is, as long as it goes on.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const shown = document.querySelector("[data-progress]");
  if (!shown) return;

  async function look() {
    if (!shown.querySelector("[data-goes-on]")) return;
    try {
      const answer = await fetch(shown.dataset.progress, { credentials: "same-origin" });
      if (answer.ok) shown.innerHTML = await answer.text();
    } finally {
      setTimeout(look, 1000);
    }
  }
  setTimeout(look, 1000);
});
