// The worker: one session of ONNX Runtime, on WebGPU where there is one, else in WebAssembly.

const MODEL = "model.onnx";
const SEEDS = 2 ** 38;
let session;

// Opening again after a failure starts anew.
async function open() {
  if (await navigator.gpu?.requestAdapter()) {
    try {
      return await start("./ort/ort.webgpu.min.mjs", "webgpu");
    } catch (error) {
      console.warn("WebGPU did not start, so WebAssembly draws:", error);
    }
  }
  return start("./ort/ort.wasm.min.mjs", "wasm");
}

async function start(library, provider) {
  const ort = await import(library);
  ort.env.wasm.numThreads = 1; // more would ask the server for headers of its own
  ort.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href;
  const options = { executionProviders: [provider], graphOptimizationLevel: "basic" };
  return { ort, run: await ort.InferenceSession.create(MODEL, options), provider };
}

async function draw(caption, seed) {
  if (!Number.isSafeInteger(seed) || seed < 0 || seed >= SEEDS)
    throw new Error("The seed must be a whole number from 0 to 2^38 - 1.");
  const { ort, run } = session;
  const feeds = {
    // Strings end at a NUL in there.
    caption: new ort.Tensor("string", [caption.replaceAll("\0", " ")], [1]),
    seed: new ort.Tensor("int64", BigInt64Array.of(BigInt(seed)), [1]),
  };
  const { image, known, unknown, attention, said } = await run.run(feeds);
  if (!known.data[0]) throw new Error("No word of this caption is known: try “a red bird”.");
  const [, height, width] = image.dims;
  const strange = Number(unknown.data[0]);
  const answer = { height, width, rgb: Uint8Array.from(image.data), words: [], maps: [], side: 0 };
  answer.unknown = strange && `${strange} unknown word${strange > 1 ? "s" : ""}`;
  if (attention) {
    const [, count, side] = attention.dims;
    answer.side = side;
    answer.words = Array.from(said.data);
    for (let place = 0; place < count; place++)
      answer.maps.push(attention.data.slice(place * side * side, (place + 1) * side * side));
  }
  return answer;
}

onmessage = async ({ data: { number, caption, seed } }) => {
  try {
    session ??= await open();
    const name = session.provider === "webgpu" ? "WebGPU" : "WebAssembly";
    postMessage({ number, answer: caption === undefined ? name : await draw(caption, seed) });
  } catch (error) {
    postMessage({ number, error: error.message ?? String(error) });
  }
};
