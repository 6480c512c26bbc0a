const table = document.querySelector(".survey");
const numberIn = (body, column) => {
  const told = body.rows[0].cells[column].dataset.value;
  return told === "" ? null : Number(told);
};
for (const button of table.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const down = head.ariaSort !== "descending";
    for (const each of table.querySelectorAll("thead th")) each.ariaSort = null;
    head.ariaSort = down ? "descending" : "ascending";
    const bodies = [...table.querySelectorAll("tbody.system")];
    bodies.sort((one, other) => {
      const [a, b] = [one, other].map((body) => numberIn(body, head.cellIndex));
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? b - a : a - b;
    });
    for (const body of bodies.reverse()) table.tHead.after(body);
  });
}
