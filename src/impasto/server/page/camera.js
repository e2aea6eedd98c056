/** The camera's pictures, one at a time, whenever the page is ready for the next. */
import { make, problem } from './dom.js';

const WHY = {
  NotAllowedError: ['The camera may not be used.', 'allow it for this page in the browser'],
  NotFoundError: ['There is no camera.', 'connect one, or choose a picture'],
};

export async function* frames(signal) {
  if (!navigator.mediaDevices) {
    throw problem('Browsers lend the camera to secure pages only.', 'open this page as https, or on localhost');
  }
  const wanted = { video: { facingMode: 'environment', width: { ideal: 1280 } } };
  const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error) => {
    throw problem(...(WHY[error.name] ?? [`The camera gave no picture: ${error.message}`]));
  });
  const video = make('video', { muted: true, playsInline: true, srcObject: stream });
  try {
    await video.play();
    while (!signal.aborted) {
      yield video;
      await new Promise(requestAnimationFrame);
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}
