// What the browser can do, by asking it: how WebGL is drawn, which fonts, codecs and languages it has.

const done = arguments[arguments.length - 1];

const CODECS = {
  h264: 'video/mp4; codecs="avc1.42E01E"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  vp8: 'video/webm; codecs="vp8"',
  vp9: 'video/webm; codecs="vp9"',
  av1: 'video/mp4; codecs="av01.0.04M.08"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  mp3: 'audio/mpeg',
  opus: 'audio/webm; codecs="opus"',
  vorbis: 'audio/webm; codecs="vorbis"',
  flac: 'audio/flac',
};
const FONTS = [
  'Arial', 'Courier New', 'Georgia', 'Helvetica', 'Times New Roman', 'Verdana', 'Segoe UI', 'Roboto', 'Ubuntu',
  'Liberation Mono', 'Liberation Sans', 'Liberation Serif', 'DejaVu Sans', 'DejaVu Sans Mono', 'DejaVu Serif',
  'Noto Sans', 'Noto Serif', 'Noto Sans CJK JP', 'Noto Sans CJK SC', 'Noto Color Emoji', 'Apple Color Emoji',
];

function renderer() {
  const canvas = document.createElement('canvas');
  const gl = canvas.getContext('webgl2') ?? canvas.getContext('webgl');
  if (!gl) return null;
  const unmasked = gl.getExtension('WEBGL_debug_renderer_info');
  const name = (unmasked && gl.getParameter(unmasked.UNMASKED_RENDERER_WEBGL)) || gl.getParameter(gl.RENDERER);
  return String(name || 'it does not say');
}

/** A family that is not there is drawn as the one behind it, so it is as wide. */
function fonts() {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return [];
  const text = 'mmMwWLlij019 \u{1F600}\u6F22';
  const width = family => ((context.font = `72px ${family}`), context.measureText(text).width);
  const fallbacks = ['monospace', 'serif', 'sans-serif'];
  const plain = fallbacks.map(width);
  return FONTS.filter(font => fallbacks.some((fallback, at) => width(`"${font}", ${fallback}`) !== plain[at]));
}

function codecs() {
  const video = document.createElement('video');
  return Object.entries(CODECS).filter(([, type]) => video.canPlayType?.(type)).map(([name]) => name);
}

try {
  done({
    renderer: renderer(),
    fonts: fonts(),
    codecs: codecs(),
    locales: [...(navigator.languages ?? [navigator.language])],
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? '',
  });
} catch (reason) {
  done({ error: String(reason?.message ?? reason) });
}
