// Shows only the entries whose name contains the typed text, and opens the folds around them.
const input = document.querySelector("input[type=search]");
const entries = [...document.querySelectorAll("[data-name]")];
const folds = [...document.querySelectorAll("details.fold")];
const count = document.querySelector("#count");
input.addEventListener("input", () => {
  const wanted = input.value.trim().toLowerCase();
  let found = 0;
  for (const entry of entries) {
    entry.hidden = !entry.dataset.name.toLowerCase().includes(wanted);
    if (!entry.hidden) found++;
  }
  for (const fold of folds) {
    fold.hidden = !fold.querySelector("[data-name]:not([hidden])");
    fold.open = wanted !== "" && !fold.hidden;
  }
  count.textContent = wanted === "" ? "" : `${found} found`;
});
