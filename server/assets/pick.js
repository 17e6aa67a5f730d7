// Makes a long list of boxes searchable, and shows it only when it is chosen. Without this the whole list is there.
//
//   <div data-pick="NAME=VALUE">  shown while the radio NAME has VALUE
//     <input type="search" hidden> <output data-count="已选"> <div class="pick"><label class="choice"><input type="checkbox">…

for (const part of document.querySelectorAll("[data-pick]")) {
  const search = part.querySelector("input[type=search]");
  const count = part.querySelector("[data-count]");
  const choices = [...part.querySelectorAll(".choice")];
  const [name, value] = part.dataset.pick.split("=");

  // A box that is ticked, or a number that is typed.
  const isChosen = (input) => (input.type === "checkbox" ? input.checked : Number(input.value) > 0);
  const find = () => {
    const sought = search.value.trim().toLowerCase();
    for (const choice of choices) choice.hidden = !choice.textContent.toLowerCase().includes(sought);
  };
  const tally = () => {
    if (!count) return;
    const chosen = choices.filter((choice) => isChosen(choice.querySelector("input"))).length;
    count.textContent = chosen ? `${count.dataset.count} ${chosen}` : "";
  };
  const show = () => {
    part.hidden = part.closest("form").elements[name].value !== value;
  };

  if (search) {
    search.hidden = false;
    search.addEventListener("input", find);
    // Enter looks, it does not send the form.
    search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  }
  part.addEventListener("change", tally);
  for (const radio of part.closest("form").querySelectorAll(`input[name="${name}"]`)) radio.addEventListener("change", show);
  tally();
  show();
}
