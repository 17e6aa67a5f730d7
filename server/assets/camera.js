// Scans a code into the field #card with the phone's camera, where the browser can; the button #scan is hidden where it
// cannot. A form marked data-scan-sends is sent at once.

const scan = document.querySelector("#scan");
const camera = document.querySelector("#camera");
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
        const field = document.querySelector("#card");
        field.value = code.rawValue;
        if (navigator.vibrate) navigator.vibrate(60);
        stop();
        if ("scanSends" in field.form.dataset) field.form.requestSubmit();
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
