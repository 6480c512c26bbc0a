// Draws in the browser: a worker runs the single file, so that the page stays awake meanwhile.

let worker;
const waiting = new Map();
let asked = 0;

function take({ data: { number, error, answer } }) {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  if (error) reject(new Error(error));
  else resolve(answer);
}

// What a worker cannot even load has no number.
function giveUp() {
  for (const { reject } of waiting.values())
    reject(new Error("the part that draws did not load. Build the page again: npm run build"));
}

function ask(message) {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ ...message, number: asked });
  });
}

// From then on all files come from what the service worker keeps: one download, and no network later.
async function keep() {
  try {
    await navigator.serviceWorker.register("offline.js");
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller)
      await new Promise((go) => navigator.serviceWorker.addEventListener("controllerchange", go));
  } catch (error) {
    console.warn("nothing is kept, so that a network will be needed again:", error);
  }
}

export async function open() {
  await keep();
  worker = new Worker(new URL("drawing.mjs", import.meta.url), { type: "module" });
  worker.onmessage = take;
  worker.onerror = giveUp;
  return { name: await ask({}), draw: (caption, seed) => ask({ caption, seed }) };
}
