// The page: asks for a picture, paints it, and shows where the network looked at a word.
//
// Who draws is the business of painter.mjs: `open()` gives {name, draw}, and
// `await draw(caption, seed)` gives {width, height, rgb, unknown, words, maps, side}: a Uint8Array of
// pixels, what was not understood, and for each of the words a Float32Array of side x side.
import { open } from "./painter.mjs";

const DARKEST = 0.88; // how much of a picture is hidden where nothing looked at the word
const find = (id) => document.getElementById(id);
const [form, caption, seed, status] = ["form", "caption", "seed", "status"].map(find);
const [picture, shade, words, hint, save] = ["picture", "shade", "words", "hint", "save"].map(find);
const buttons = [find("draw"), find("another")];

function paint(drawn) {
  const { width, height, rgb } = drawn;
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    image.data.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
    image.data[4 * pixel + 3] = 255;
  }
  [picture.width, picture.height] = [width, height];
  picture.getContext("2d").putImageData(image, 0, 0);
  picture.setAttribute("aria-label", `Drawn from the caption: ${caption.value}`);
  save.href = picture.toDataURL("image/png");
  save.hidden = false;
}

// Words share one scale: one that nothing looked at stays dark.
function darken(map, most, side) {
  const image = new ImageData(side, side);
  map.forEach((weight, place) => {
    image.data[4 * place + 3] = 255 * DARKEST * (1 - Math.min(1, weight / most));
  });
  [shade.width, shade.height] = [side, side];
  shade.getContext("2d").putImageData(image, 0, 0);
}

function brighten() {
  shade.getContext("2d").clearRect(0, 0, shade.width, shade.height);
}

function list(drawn) {
  brighten();
  hint.hidden = drawn.maps.length === 0;
  const most = drawn.maps.reduce((top, map) => map.reduce((a, b) => Math.max(a, b), top), 1e-12);
  const items = drawn.maps.map((map, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = drawn.words[place];
    for (const event of ["pointerenter", "focus"])
      button.addEventListener(event, () => darken(map, most, drawn.side));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, brighten);
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  words.replaceChildren(...items);
}

function tell(drawn, seconds) {
  const not = drawn.unknown ? `, without ${drawn.unknown}` : "";
  status.textContent = `Drawn in ${seconds.toFixed(2)} s from seed ${seed.value}${not}.`;
}

async function draw(painter) {
  for (const button of buttons) button.disabled = true;
  status.textContent = "Drawing …";
  const begun = performance.now();
  try {
    const drawn = await painter.draw(caption.value, Number(seed.value));
    paint(drawn);
    list(drawn);
    tell(drawn, (performance.now() - begun) / 1000);
  } catch (error) {
    status.textContent = error.message;
  }
  for (const button of buttons) button.disabled = false;
}

try {
  const painter = await open();
  document.title = `t2i: ${painter.name}`;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    draw(painter);
  });
  buttons[1].addEventListener("click", () => {
    seed.value = Number(seed.value) + 1;
    if (form.reportValidity()) draw(painter);
  });
  for (const button of buttons) button.disabled = false;
  status.textContent = `Ready: ${painter.name}.`;
} catch (error) {
  status.textContent = `This cannot start: ${error.message}`;
}
