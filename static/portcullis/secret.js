// The page that shows a new key's secret: copies it, and makes reload and "back" lead to the key's own page instead.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("issued");
  if (!page) return;
  history.replaceState(null, "", page.dataset.page);

  const note = document.getElementById("copied");
  for (const button of page.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      note.textContent = (await copied(source)) ? "Copied." : "Press Ctrl+C or ⌘C: the key is selected.";
    });
  }
});

// Browsers offer the clipboard on secure pages only; elsewhere the text is selected and copied the old way.
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}
