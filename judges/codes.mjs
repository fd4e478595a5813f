// jsQR reads our pictures, and @ngraveio/bc-ur takes our frames and makes some for us.
import bcur from '@ngraveio/bc-ur'
import jsQR from 'jsqr'
import { PNG } from 'pngjs'
import { answer, attempt, question } from './ask.mjs'

const { UR, UREncoder, URDecoder } = bcur
const read = (base64) => {
  const png = PNG.sync.read(Buffer.from(base64, 'base64'))
  return (jsQR.default ?? jsQR)(new Uint8ClampedArray(png.data), png.width, png.height)?.data ?? ''
}

const out = {}
out.texts = question.pictures.map(read)

const decoder = new URDecoder()
out.frames = 0
for (const frame of question.frames) {
  out.frames++
  decoder.receivePart(frame)
  if (decoder.isComplete()) break
}
out.content = await attempt(() => decoder.resultUR().decodeCBOR().toString('base64'))

const encoder = new UREncoder(UR.fromBuffer(Buffer.from(question.content, 'base64')), question.fragment, 0)
out.ours = Array.from({ length: question.count }, () => encoder.nextPart())
answer(out)
