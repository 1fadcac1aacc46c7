// `/` searches, `j` and `k` move between questions, `o` opens one, `a` `m` `b` choose an answer. Only its button sends it.
const CHOICES = { a: "APPROVED", m: "MIGRATING", b: "BLOCKED" };

function isTyping(target) {
  return target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]") !== null;
}

function move(page, step) {
  const questions = [...page.querySelectorAll(".q")];
  if (!questions.length) return;
  const current = questions.findIndex((question) => question.classList.contains("at"));
  const next = questions[Math.max(0, Math.min(questions.length - 1, current < 0 ? 0 : current + step))];
  questions.forEach((question) => question.classList.toggle("at", question === next));
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function choose(page, value) {
  const question = page.querySelector(".q.at") || (page.querySelectorAll(".answer").length === 1 ? page : null);
  const choice = question && question.querySelector(`.answer input[value="${value}"]`);
  if (!choice) return false;
  choice.checked = true;
  const form = choice.form;
  (value === "APPROVED" ? form.querySelector("button.main") : form.querySelector("textarea")).focus();
  return true;
}

function handle(page, event) {
  if (event.key === "/") {
    const search = page.getElementById("find");
    if (search) search.focus();
    return search !== null;
  }
  if (event.key === "j" || event.key === "k") {
    move(page, event.key === "j" ? 1 : -1);
    return true;
  }
  if (event.key === "o") {
    const link = page.querySelector(".q.at h2 a");
    if (link) link.click();
    return link !== null;
  }
  return event.key in CHOICES && choose(page, CHOICES[event.key]);
}

export function bindKeys(page) {
  page.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (handle(page, event)) event.preventDefault();
  });
}
