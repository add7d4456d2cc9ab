"use strict";
// The page is whole without this: it filters the pictures, and unfolds everything for the printer.
// A check box or list named "kind" filters by what its cards have in data-kinds, and so on.
(() => {
  const form = document.getElementById("filter");
  if (form) {
    const names = [...new Set([...form.querySelectorAll("input, select")].map((field) => field.name))];
    const cards = [...document.querySelectorAll("#cards > li")].map((node) => ({
      node,
      values: Object.fromEntries(names.map((name) => [name, (node.dataset[`${name}s`] ?? "").split(" ")])),
    }));
    const status = document.getElementById("shown");
    const apply = () => {
      const data = new FormData(form);
      const wanted = names.map((name) => [name, data.getAll(name).filter((value) => value !== "")]);
      let shown = 0;
      for (const card of cards) {
        const fits = wanted.every(
          ([name, values]) => values.length === 0 || values.some((value) => card.values[name].includes(value)),
        );
        card.node.hidden = !fits;
        shown += Number(fits);
      }
      status.textContent = `${shown} of ${cards.length} pictures shown`;
    };
    form.hidden = false;
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    apply();
  }

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open]):not(.gallery)")];
    for (const node of folded) node.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const node of folded) node.open = false;
  });
})();
