// The box beside a guard policy: shows what the policy, as it stands in the form, would do with a text.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector("[data-try]");
  const policy = box && document.getElementById(box.dataset.of);
  if (!policy) return;
  const shown = box.querySelector("[data-shown]");
  const direction = box.querySelector("[name=try_direction]");
  const role = box.querySelector("[name=try_role]");
  const roles = [...role.options];
  const failed = "It cannot be tried now. Saving works all the same.";
  let timer, asked = 0;

  async function look() {
    const mine = ++asked;
    const sent = new FormData(policy);
    for (const [name, value] of new FormData(box)) sent.set(name, value);
    try {
      const answer = await fetch(box.dataset.url, { method: "POST", body: sent, credentials: "same-origin" });
      const text = answer.ok ? await answer.text() : "";
      if (mine !== asked) return;
      if (text) shown.innerHTML = text;
      else shown.textContent = failed;
    } catch {
      if (mine === asked) shown.textContent = failed;
    }
  }

  // An answer is the model's: only its role is left then.
  let asker = role.value;
  function offer() {
    const isAnswer = direction.value === "answer";
    if (role.options.length > 1) asker = role.value;
    role.replaceChildren(...roles.filter((each) => !isAnswer || each.value === "assistant"));
    role.value = isAnswer ? "assistant" : asker;
  }

  function soon() {
    clearTimeout(timer);
    if (box.querySelector("[name=try_text]").value) timer = setTimeout(look, 300);
    else {
      asked++;
      shown.textContent = "";
    }
  }

  direction.addEventListener("change", offer);
  offer();
  box.addEventListener("submit", (event) => event.preventDefault());
  for (const form of [box, policy]) {
    form.addEventListener("input", soon);
    form.addEventListener("change", soon);
    if (window.django && django.jQuery) django.jQuery(form).on("change", "select", soon);
  }
});
