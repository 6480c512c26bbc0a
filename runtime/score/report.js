for (const section of document.querySelectorAll("section")) {
  const input = section.querySelector("input");
  if (!input) continue;
  const cards = [...section.querySelectorAll(".card")];
  const status = section.querySelector("[role=status]");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const card of cards) {
      const told = [...card.querySelectorAll(".told")].map((each) => each.textContent);
      const text = told.join(" ").toLowerCase();
      card.hidden = !words.every((word) => text.includes(word));
    }
    const shown = cards.filter((card) => !card.hidden).length;
    status.textContent = `${shown} of ${status.dataset.of} are shown`;
  });
}
