// Codes in a picture: of a file, or of the camera. The browser's own reader where it has one;
// the decoder of `qr` besides, which comes when a picture does.
import { decodeQRBatch } from 'qr/decode.js'

const MAX_FILE = 20 << 20
/** SIDE is the longer side that a picture is made smaller to before it is read; internal/qr reads at most as much. */
const SIDE = 2000
const TIME_MS = 1500 // for a file; a camera brings another frame

interface Native { detect(from: ImageData): Promise<{ rawValue: string }[]> }
type Reader = (new (o: { formats: string[] }) => Native) & { getSupportedFormats(): Promise<string[]> }

async function native(img: ImageData): Promise<string[]> {
  const Detector = (globalThis as { BarcodeDetector?: Reader }).BarcodeDetector
  if (!Detector) return []
  try {
    if (!(await Detector.getSupportedFormats()).includes('qr_code')) return []
    return (await new Detector({ formats: ['qr_code'] }).detect(img)).map((c) => c.rawValue)
  } catch {
    return [] // it is announced, and not there: the decoder reads instead
  }
}

/** read returns the texts of the codes in an image, each once. */
export async function read(img: ImageData, timeLimit = TIME_MS): Promise<string[]> {
  let found = await native(img)
  if (found.length === 0) found = (await decodeQRBatch([{ width: img.width, height: img.height, data: img.data }], { format: 'RGBA', timeLimit, maxSize: { width: img.width, height: img.height } })).flat().filter((r) => typeof r === 'string')
  return [...new Set(found.filter((s) => s !== ''))]
}

/** pixels draws something onto white, no larger than side. */
export function pixels(from: CanvasImageSource, width: number, height: number, side = SIDE): ImageData {
  const scale = Math.min(1, side / Math.max(width, height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  const pen = canvas.getContext('2d', { willReadFrequently: true })!
  pen.fillStyle = '#fff'
  pen.fillRect(0, 0, canvas.width, canvas.height)
  pen.drawImage(from, 0, 0, canvas.width, canvas.height)
  return pen.getImageData(0, 0, canvas.width, canvas.height)
}

/** readFile returns the texts of the codes in a picture's file. It throws 'no-picture' for what is none. */
export async function readFile(file: Blob): Promise<string[]> {
  if (file.size > MAX_FILE) throw new Error('no-picture')
  let bitmap: ImageBitmap
  try { bitmap = await createImageBitmap(file) } catch { throw new Error('no-picture') }
  try {
    return await read(pixels(bitmap, bitmap.width, bitmap.height))
  } finally {
    bitmap.close()
  }
}
