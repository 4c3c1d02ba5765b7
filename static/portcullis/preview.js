// A form with a panel [data-url]: shows there what the values that stand in it would do, unsaved.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const panel = document.querySelector("[data-preview]");
  const form = panel && panel.closest("form");
  if (!form) return;
  const shown = panel.querySelector("[data-shown]");
  let timer, asked = 0;

  async function look() {
    const mine = ++asked;
    try {
      const answer = await fetch(panel.dataset.url, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      const text = answer.ok ? await answer.text() : "";
      if (mine !== asked) return;
      if (text) shown.innerHTML = text;
      else shown.textContent = "It cannot be counted now. Saving works all the same.";
    } catch {
      if (mine === asked) shown.textContent = "It cannot be counted now. Saving works all the same.";
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(look, 400);
  }

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  if (window.django && django.jQuery) django.jQuery(form).on("change", "select", soon);
  look();
});
