"use strict";
for (const element of document.querySelectorAll("[hidden]")) element.hidden = false;

const heat = block => Number(/ heat-(\d)/.exec(block.getAttribute("class"))?.[1] ?? 0);
const hottest = drawing => [...drawing.querySelectorAll("[data-block]")].reduce((a, b) => heat(b) > heat(a) ? b : a);
const center = (drawing, block) => {
  const outer = drawing.getBoundingClientRect(), inner = block.getBoundingClientRect();
  drawing.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  drawing.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
};

for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => {
    const section = button.closest("section"), drawing = section.querySelector(".drawing");
    drawing.classList.toggle("readable", button.dataset.zoom === "readable");
    for (const each of section.querySelectorAll("[data-zoom]")) each.setAttribute("aria-pressed", each === button);
    center(drawing, hottest(drawing));
  });
}

const table = document.getElementById("stop-table");
if (table) {
  const body = table.tBodies[0], rows = [...body.rows], headings = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search"), shown = document.getElementById("shown");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of rows) row.hidden = !words.every(word => row.cells[0].textContent.toLowerCase().includes(word));
    shown.textContent = shown.dataset.text.replace("{shown}", rows.filter(row => !row.hidden).length)
      .replace("{total}", rows.length);
  };
  search.addEventListener("input", filter);
  filter();

  headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => {
    // Figures start with the largest; stops start in the order of the flow. Cells without a value come last.
    const first = column ? "descending" : "ascending", second = column ? "ascending" : "descending";
    const order = heading.getAttribute("aria-sort") === first ? second : first;
    for (const each of headings) each.setAttribute("aria-sort", each === heading ? order : "none");
    const sign = order === "ascending" ? 1 : -1, value = row => row.cells[column].dataset.value;
    body.append(...[...rows].sort((one, other) => {
      const a = value(one), b = value(other);
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (a - b);
    }));
  }));
}
