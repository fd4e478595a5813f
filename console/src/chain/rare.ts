// Characters for which this device has no glyph: names of people and places have some that are
// in GB 18030 and in few fonts. Who reads a box instead of a character reads its number beside
// it, and can compare that with what stands on paper.

// Blocks that fonts lack: extension A, private use, and all beyond the first plane.
const RARE = /[\u3400-\u4dbf\ue000-\uf8ff]|[\u{20000}-\u{3ffff}]|[\u{f0000}-\u{10fffd}]/gu
const NOBODYS = ['\u{3fffd}', '\u{e0ffd}', '\u0378'] // no character has these numbers: they look as what is lacking
const SIDE = 24

const known = new Map<string, boolean>()
let pen: CanvasRenderingContext2D | null | undefined
let lacking: Set<string> | undefined

// picture is how a character looks here.
function picture(c: string): string {
  pen!.clearRect(0, 0, SIDE * 2, SIDE * 2)
  pen!.fillText(c, 4, SIDE)
  return `${pen!.measureText(c).width} ${pen!.getImageData(0, 0, SIDE * 2, SIDE * 2).data.join()}`
}

function lacks(c: string): boolean {
  const was = known.get(c)
  if (was !== undefined) return was
  if (pen === undefined) {
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = SIDE * 2
    pen = canvas.getContext('2d', { willReadFrequently: true })
    if (pen) pen.font = `${SIDE}px ${getComputedStyle(document.body).fontFamily}`
  }
  if (!pen) return false // nothing can be said
  lacking ??= new Set([...NOBODYS.map(picture), picture(' ')])
  const out = lacking.has(picture(c))
  known.set(c, out)
  return out
}

/** rare writes the number behind each character that this device cannot show: 王〔U+2CB4E〕. For reading only: nothing that is signed or sent goes through here. */
export const rare = (text: string): string =>
  text.replace(RARE, (c) => (lacks(c) ? `${c}〔U+${c.codePointAt(0)!.toString(16).toUpperCase()}〕` : c))
