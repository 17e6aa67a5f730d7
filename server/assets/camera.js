// Reads a code into the field that is marked data-scanned, or #card: with the phone's camera where the browser can (the
// button #scan is hidden where it cannot), or from a photograph (#photo), which the server reads. A form marked
// data-scan-sends is sent at once.

const field = document.querySelector("[data-scanned]") || document.querySelector("#card");
const scan = document.querySelector("#scan");
const camera = document.querySelector("#camera");
const photo = document.querySelector("#photo");

function read(text) {
  field.value = text;
  if (navigator.vibrate) navigator.vibrate(60);
  if ("scanSends" in field.form.dataset) field.form.requestSubmit();
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  scan.hidden = false;
  scan.addEventListener("click", async () => {
    if (camera.srcObject) return stop();
    try {
      camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (fault) {
      return;
    }
    camera.hidden = false;
    await camera.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    while (camera.srcObject) {
      const [code] = await detector.detect(camera).catch(() => []);
      if (code && code.rawValue) {
        stop();
        read(code.rawValue);
      }
      await new Promise((next) => setTimeout(next, 120));
    }
  });
}

function stop() {
  if (camera.srcObject) for (const track of camera.srcObject.getTracks()) track.stop();
  camera.srcObject = null;
  camera.hidden = true;
}

if (photo) {
  photo.hidden = false;
  const [input, told] = [photo.querySelector("input"), document.querySelector("#photo-told")];
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const picture = await smaller(file);
    input.value = "";
    const headers = { "content-type": "application/octet-stream" };
    const answer = await fetch(photo.dataset.codes, { method: "POST", body: picture, headers }).catch(() => null);
    const codes = answer && answer.ok ? (await answer.json()).codes : [];
    told.textContent = codes.length ? "" : answer ? told.dataset.none : told.dataset.away;
    if (codes.length) read(codes[0]);
  });
}

// A photograph is made smaller before it is sent.
function smaller(file) {
  return new Promise((done) => {
    const image = new Image();
    image.onload = () => {
      const scale = Math.min(1, 1600 / Math.max(image.width, image.height));
      const canvas = document.createElement("canvas");
      canvas.width = image.width * scale;
      canvas.height = image.height * scale;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => done(blob || file), "image/jpeg", 0.85);
      URL.revokeObjectURL(image.src);
    };
    image.onerror = () => done(file);
    image.src = URL.createObjectURL(file);
  });
}
