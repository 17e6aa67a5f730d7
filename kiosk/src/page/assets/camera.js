// The browser's camera: its frames go to the kiosk program, one at a time and grey; what is read there shows like any scan.

import { settings, show } from "/assets/kiosk.js";

const SAY = {
  zh: {
    hold: "请把二维码放进框里，拿稳；屏幕太暗请调亮",
    NotAllowedError: "摄像头没有打开：浏览器没有权限。工作人员：点「工作人员」→「本机设置」，那里写着怎么办。",
    NotFoundError: "没有找到摄像头，插好后会自己打开。扫码枪和刷卡照常可用。",
    NotReadableError: "摄像头被别的程序占用。工作人员：关闭那个程序，再点「再试一次」。",
    insecure: "请用 http://127.0.0.1 打开本页，浏览器才允许使用摄像头。",
    unplugged: "摄像头断开了，插好后会自己恢复。扫码枪和刷卡照常可用。",
    fault: "摄像头打不开。工作人员：拔下再插好，再点「再试一次」。",
  },
  en: {
    hold: "Hold the code still inside the frame; brighten a dark screen",
    NotAllowedError: "No camera: the browser may not use it. Staff: tap “Staff”, then “This machine”, which says what to do.",
    NotFoundError: "No camera was found; plug it in and it starts. Scanners and cards work as ever.",
    NotReadableError: "Another program uses the camera. Staff: close that and tap “Try again”.",
    insecure: "Open this page as http://127.0.0.1, or the browser gives no camera.",
    unplugged: "The camera was unplugged; it comes back by itself. Scanners and cards work as ever.",
    fault: "The camera does not start. Staff: unplug it, plug it in and tap “Try again”.",
  },
};
const LONG = 1280, SHORT = 720; // The program takes no larger frames.
const IDLE_MS = 80; // Between frames while nothing looks like a code: an old laptop stays cool.
const BUSY_MS = 300; // After a frame that was not taken.
const UNREADABLE_MS = 2_000; // Then people are told how to hold it.

const at = (id) => document.getElementById(id);
const video = at("video"), sight = at("sight");
const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
let stream = null, trouble = null, unreadSince = 0, unreadable = false;

const wanted = () => settings().camera;

function render() {
  const words = SAY[document.documentElement.lang === "en" ? "en" : "zh"];
  at("camera-again").hidden = !trouble || trouble === "insecure";
  sight.hidden = !stream;
  const hint = trouble ? words[trouble] : unreadable ? words.hold : "";
  if (at("camera-hint").textContent !== hint) at("camera-hint").textContent = hint;
}

// ---------------------------------------------------------------- on and off

async function start() {
  stop();
  if (!navigator.mediaDevices) return fail("insecure");
  // A volunteer's phone looks ahead; a screen on a stand looks at who stands before it.
  const facingMode = matchMedia("(pointer: coarse) and (max-width: 599px)").matches ? "environment" : "user";
  const { device } = settings();
  const choice = device ? { deviceId: { ideal: device } } : { facingMode: { ideal: facingMode } };
  try {
    const opened = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...choice, width: { ideal: LONG }, height: { ideal: SHORT }, frameRate: { ideal: 30 } } });
    if (!wanted()) return opened.getTracks().forEach((track) => track.stop());
    stream = opened;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => { stop(); fail("unplugged"); });
    // Who sees their own hand move the other way never finds the frame.
    sight.toggleAttribute("data-mirrored", track.getSettings().facingMode !== "environment");
    video.srcObject = stream;
    await video.play();
    trouble = null;
    render();
    watch(stream);
  } catch (error) {
    stop();
    if (wanted()) fail(error.name);
  }
}

function fail(name) {
  trouble = name in SAY.zh ? name : name === "OverconstrainedError" ? "NotFoundError" : "fault";
  render();
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  trouble = null;
  unreadable = false;
  render();
}

// ---------------------------------------------------------------- frames

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function watch(mine) {
  let seen = -1;
  while (stream === mine) {
    if (document.hidden || video.readyState < 2 || video.currentTime === seen) { await pause(15); continue; }
    seen = video.currentTime;
    const told = await send(grey());
    if (stream !== mine) return;
    if (!told) { await pause(BUSY_MS); continue; }
    notice(told);
    if (told.shown) show(told.shown);
    if (!told.near) await pause(IDLE_MS);
  }
}

/** The frame at hand, a byte for each pixel, no larger than the program takes. */
function grey() {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, LONG / videoWidth, SHORT / videoHeight);
  const width = Math.floor(videoWidth * scale), height = Math.floor(videoHeight * scale);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  pen.drawImage(video, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < pixels.length; i++, j += 4) pixels[i] = (data[j] * 77 + data[j + 1] * 150 + data[j + 2] * 29) >> 8;
  return { width, height, pixels };
}

async function send({ width, height, pixels }) {
  try {
    const response = await fetch(`/frame?width=${width}&height=${height}`, { method: "POST", body: pixels, headers: { "content-type": "application/octet-stream" } });
    return response.status === 200 ? await response.json() : null;
  } catch {
    return null; // The page tells by itself that the program is gone.
  }
}

/** Tells people who hold up something that cannot be read what to do. */
function notice({ near, read }) {
  sight.toggleAttribute("data-near", near);
  if (!near || read) unreadSince = 0;
  else unreadSince ||= performance.now();
  const late = unreadSince > 0 && performance.now() - unreadSince > UNREADABLE_MS;
  if (late !== unreadable) { unreadable = late; render(); }
}

// ---------------------------------------------------------------- when it begins

// Whoever taps here does no harm: it does not work as it is.
at("camera-again").addEventListener("click", () => {
  at("camera-again").blur(); // Or the next Enter that a scanner types would press it again.
  start();
});

navigator.mediaDevices?.addEventListener("devicechange", () => { if (wanted() && !stream && window === top) start(); });
addEventListener("rendered", render);
render();

let before = "";
addEventListener("set", () => {
  const now = JSON.stringify([wanted(), settings().device]);
  // A preview inside the operating page leaves the camera alone.
  if (now === before || window !== top) return;
  before = now;
  if (wanted()) start();
  else stop(); // And what was wrong with it is no trouble any more.
});
