// Draws by asking the program that served this page: `t2i-run --serve`.

async function ask(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Error("The program that draws has ended: start t2i-run --serve again.");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error}. Hint: ${answer.hint}.`);
  return answer;
}

const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

export async function open() {
  const { name } = await ask("about");
  return { name, draw };
}

async function draw(caption, seed) {
  const answer = await ask("draw", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ caption, seed }),
  });
  const { width, height, side, words, unknown } = answer;
  const maps = answer.maps.map((map) => Float32Array.from(bytes(map)));
  return { width, height, rgb: bytes(answer.rgb), unknown: unknown.join(", "), words, maps, side };
}
