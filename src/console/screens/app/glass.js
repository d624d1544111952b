// A mirror's pictures: from the gateway's messages to a made-up face. Frame n is painted by the points of frame n.

export const LIPS_OUTER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185];
export const LIPS_INNER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191];
const CHEEKS = [50, 280];
const SIDES = [234, 454];

/** Reads a message: see wire::screen::mirror. */
export function read(buffer) {
    const view = new DataView(buffer);
    if (view.getUint8(0) !== 1) throw new Error('another version');
    const flags = view.getUint8(1);
    const count = view.getUint16(2, true);
    const noted = view.getUint32(20, true);
    const points = [];
    for (let n = 0; n < count; n += 1) {
        points.push([view.getInt16(24 + 4 * n, true) / 16, view.getInt16(26 + 4 * n, true) / 16]);
    }
    const after = 24 + 4 * count;
    return {
        number: view.getUint32(4, true),
        at: view.getFloat64(8, true),
        width: view.getUint16(16, true),
        height: view.getUint16(18, true),
        isMadeUp: (flags & 2) !== 0,
        points,
        note: noted ? JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, after, noted))) : {},
        rgb: new Uint8Array(buffer, after + noted),
    };
}

function ring(path, points, numbers) {
    const at = (n) => points[numbers[(n + numbers.length) % numbers.length]];
    const between = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    path.moveTo(...between(at(-1), at(0)));
    // Through the middles, bent at the points: round, and never far from the contour.
    for (let n = 0; n < numbers.length; n += 1) {
        path.quadraticCurveTo(...at(n), ...between(at(n), at(n + 1)));
    }
    path.closePath();
}

/** Red: how much of each pixel is lips. Green: how much is cheek. */
export function mask(canvas, points) {
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    pen.globalCompositeOperation = 'source-over';
    pen.filter = 'none';
    pen.fillStyle = '#000';
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (points.length === 0) return;
    pen.globalCompositeOperation = 'lighter';
    const lips = new Path2D();
    ring(lips, points, LIPS_OUTER);
    ring(lips, points, LIPS_INNER);
    const width = Math.hypot(points[61][0] - points[291][0], points[61][1] - points[291][1]);
    pen.filter = `blur(${Math.max(0.6, width * 0.012)}px)`;
    pen.fillStyle = '#f00';
    pen.fill(lips, 'evenodd');
    pen.filter = 'none';
    const across = Math.hypot(points[SIDES[0]][0] - points[SIDES[1]][0], points[SIDES[0]][1] - points[SIDES[1]][1]);
    for (const cheek of CHEEKS) {
        const [x, y] = points[cheek];
        const radius = across * 0.15;
        const soft = pen.createRadialGradient(x, y, 0, x, y, radius);
        soft.addColorStop(0, '#0f0');
        soft.addColorStop(0.5, '#080');
        soft.addColorStop(1, '#000');
        pen.fillStyle = soft;
        pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    }
}

const VERTEX = `#version 300 es
in vec2 at; out vec2 uv;
void main() { uv = vec2(at.x, 1.0 - at.y); gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0); }`;

// The same recipe as the gateway's own (sense::mirror): colour moves to the shade, lightness part of the way.
const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D picture, where_;
uniform vec4 lips, blush; uniform float gloss, mean_, bright, split_;
in vec2 uv; out vec4 colour;
vec3 linear(vec3 c) { return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 encoded(vec3 c) {
  c = clamp(c, 0.0, 1.0);
  return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}
float root(float t) { return t > 0.008856 ? pow(t, 1.0 / 3.0) : 7.787 * t + 16.0 / 116.0; }
float cube(float f) { float c = f * f * f; return c > 0.008856 ? c : (f - 16.0 / 116.0) / 7.787; }
vec3 lab(vec3 c) {
  c = linear(c);
  float x = root(dot(c, vec3(0.4124564, 0.3575761, 0.1804375)) / 0.95047);
  float y = root(dot(c, vec3(0.2126729, 0.7151522, 0.0721750)));
  float z = root(dot(c, vec3(0.0193339, 0.1191920, 0.9503041)) / 1.08883);
  return vec3(116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
}
vec3 rgb(vec3 l) {
  float y = (l.x + 16.0) / 116.0;
  vec3 xyz = vec3(cube(y + l.y / 500.0) * 0.95047, cube(y), cube(y - l.z / 200.0) * 1.08883);
  return encoded(vec3(dot(xyz, vec3(3.2404542, -1.5371385, -0.4985314)),
    dot(xyz, vec3(-0.9692660, 1.8760108, 0.0415560)), dot(xyz, vec3(0.0556434, -0.2040259, 1.0572252))));
}
void main() {
  vec3 pixel = texture(picture, uv).rgb;
  vec2 share = texture(where_, uv).rg * vec2(lips.w, blush.w) * step(split_, uv.x);
  colour = vec4(pixel, 1.0);
  if (share.x + share.y < 0.002) return;
  vec3 c = lab(pixel);
  float shine = gloss > 0.5 ? 14.0 * clamp((c.x - bright) / max(100.0 - bright, 1.0) * 4.0, 0.0, 1.0)
    : -0.45 * max(c.x - mean_, 0.0);
  c.x += share.x * (0.6 * (lips.x - mean_) + shine);
  c.yz += share.x * (lips.yz - c.yz);
  c.x += share.y * 0.1 * (blush.x - c.x);
  c.yz += share.y * 0.5 * (blush.yz - c.yz);
  colour = vec4(rgb(vec3(clamp(c.x, 0.0, 100.0), c.yz)), 1.0);
}`;

function lightness(r, g, b) {
    const y = 0.2126729 * (r / 255) ** 2.2 + 0.7151522 * (g / 255) ** 2.2 + 0.072175 * (b / 255) ** 2.2;
    return 116 * Math.cbrt(Math.max(y, 0.0089)) - 16;
}

/** How light the lips are: the mean, and where the brightest tenth begins. */
function lipLight(shot) {
    const all = [];
    for (const ringed of [LIPS_OUTER, LIPS_INNER]) {
        for (let n = 0; n < ringed.length; n += 1) {
            // Halfway between the contours.
            const [x, y] = [0, 1].map((i) => (shot.points[LIPS_OUTER[n]][i] + shot.points[LIPS_INNER[n]][i]) / 2);
            const column = Math.round(x);
            const row = Math.round(y);
            if (column < 0 || row < 0 || column >= shot.width || row >= shot.height) continue;
            const at = 3 * (row * shot.width + column);
            all.push(lightness(shot.rgb[at], shot.rgb[at + 1], shot.rgb[at + 2]));
        }
    }
    if (all.length === 0) return [50, 70];
    all.sort((a, b) => a - b);
    return [all.reduce((sum, one) => sum + one, 0) / all.length, all[Math.floor(all.length * 0.9)]];
}

function compiled(gl) {
    const program = gl.createProgram();
    for (const [kind, text] of [
        [gl.VERTEX_SHADER, VERTEX],
        [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, text);
        gl.compileShader(shader);
        if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
        gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
}

/** Paints on the graphics processor. Throws where there is none. */
export class Painter {
    constructor(canvas) {
        this.canvas = canvas;
        this.gl = canvas.getContext('webgl2', { antialias: false, preserveDrawingBuffer: true });
        if (!this.gl) throw new Error('no WebGL');
        this.where = document.createElement('canvas');
        const { gl } = this;
        this.program = compiled(gl);
        gl.useProgram(this.program);
        gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
        gl.enableVertexAttribArray(0);
        gl.bindAttribLocation(this.program, 0, 'at');
        gl.vertexAttribPointer(gl.getAttribLocation(this.program, 'at'), 2, gl.FLOAT, false, 0, 0);
        this.textures = [0, 1].map((unit) => {
            gl.activeTexture(gl.TEXTURE0 + unit);
            gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
            for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
            for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
                gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
            }
        });
        gl.uniform1i(this.at('picture'), 0);
        gl.uniform1i(this.at('where_'), 1);
    }

    at(name) {
        return this.gl.getUniformLocation(this.program, name);
    }

    paint(shot, look, split) {
        const { gl } = this;
        for (const canvas of [this.canvas, this.where]) {
            if (canvas.width !== shot.width || canvas.height !== shot.height) {
                Object.assign(canvas, { width: shot.width, height: shot.height });
            }
        }
        mask(this.where, shot.points);
        gl.viewport(0, 0, shot.width, shot.height);
        gl.activeTexture(gl.TEXTURE0);
        gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, shot.width, shot.height, 0, gl.RGB, gl.UNSIGNED_BYTE, shot.rgb);
        gl.activeTexture(gl.TEXTURE1);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, this.where);
        const [mean, bright] = shot.points.length ? lipLight(shot) : [50, 70];
        const shade = (worn) => (worn ? [...worn.lab, worn.strength] : [0, 0, 0, 0]);
        gl.uniform4fv(this.at('lips'), shade(look.lips));
        gl.uniform4fv(this.at('blush'), shade(look.blush));
        gl.uniform1f(this.at('gloss'), look.lips && look.lips.gloss ? 1 : 0);
        gl.uniform1f(this.at('mean_'), mean);
        gl.uniform1f(this.at('bright'), bright);
        gl.uniform1f(this.at('split_'), split);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }

    clear() {
        const { gl } = this;
        gl.activeTexture(gl.TEXTURE0);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array(3));
        gl.clearColor(0, 0, 0, 1);
        gl.clear(gl.COLOR_BUFFER_BIT);
        this.where.getContext('2d').clearRect(0, 0, this.where.width, this.where.height);
    }
}

/** Shows what the gateway has painted, where there is no WebGL. */
export class Plain {
    constructor(canvas) {
        this.canvas = canvas;
        this.pen = canvas.getContext('2d');
    }

    paint(shot) {
        if (this.canvas.width !== shot.width || this.canvas.height !== shot.height || !this.image) {
            Object.assign(this.canvas, { width: shot.width, height: shot.height });
            this.image = this.pen.createImageData(shot.width, shot.height);
        }
        const { data } = this.image;
        for (let from = 0, to = 0; from < shot.rgb.length; from += 3, to += 4) {
            data[to] = shot.rgb[from];
            data[to + 1] = shot.rgb[from + 1];
            data[to + 2] = shot.rgb[from + 2];
            data[to + 3] = 255;
        }
        this.pen.putImageData(this.image, 0, 0);
    }

    clear() {
        if (this.image) this.image.data.fill(0);
        this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    }
}
