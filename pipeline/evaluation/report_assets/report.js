"use strict";
// The page is whole without this: it filters the changed pictures, and unfolds everything for the printer.
(() => {
  const form = document.getElementById("filter");
  if (form) {
    const cards = [...document.querySelectorAll("#cards > li")].map((node) => ({
      node,
      kinds: node.dataset.kinds.split(" "),
      labels: node.dataset.labels.split(" "),
    }));
    const status = document.getElementById("shown");
    const apply = () => {
      const kinds = [...form.querySelectorAll("input:checked")].map((box) => box.value);
      const label = form.elements.label.value;
      let shown = 0;
      for (const card of cards) {
        const fits =
          (kinds.length === 0 || kinds.some((kind) => card.kinds.includes(kind))) &&
          (label === "" || card.labels.includes(label));
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
