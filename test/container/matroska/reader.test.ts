import { describe, expect, it } from 'vitest'
import { EbmlWriter } from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'
import { openMatroska } from '../../../src/container/matroska/reader.ts'
import { MalformedError, UnsupportedError } from '../../../src/media/errors.ts'
import {
  blockBytes,
  blockGroup,
  cluster,
  foreignFile,
  info,
  openCluster,
  type Piece,
  simpleBlock,
  tracks,
} from './foreign.ts'
import { MemoryFile } from './memory-file.ts'

async function read(bytes: Uint8Array) {
  const reader = await openMatroska(new MemoryFile(bytes))
  const seen: [track: number, pts: number, key: boolean, data: number[]][] = []
  for await (const { track, pts, key, offset, size } of reader.samples()) {
    seen.push([track.id, pts, key, [...bytes.subarray(offset, offset + size)]])
  }
  return { reader, seen, faults: reader.faults.map(({ kind }) => kind) }
}

const one = simpleBlock(1, 0, 0x80, [1])

describe('blocks', () => {
  it('are read from simple blocks and groups, key or not', async () => {
    const { seen, faults } = await read(
      foreignFile([
        info,
        tracks(),
        cluster(
          100,
          one,
          blockGroup(blockBytes(1, -40, 0, [2]), { reference: true }),
          blockGroup(blockBytes(1, 40, 0, [3])),
        ),
        cluster(1000, simpleBlock(1, 5, 0, [4]), simpleBlock(2, 7, 0, [5])),
      ]),
    )
    expect(faults).toEqual([])
    expect(seen).toEqual([
      [1, 100, true, [1]],
      [1, 60, false, [2]],
      [1, 140, true, [3]],
      [1, 1005, false, [4]],
      [2, 1007, true, [5]],
    ])
  })

  it('end a Cluster of unknown size where anything of the Segment follows', async () => {
    const after: Piece[] = [
      (out) => out.binary(E.CUES, new Uint8Array(3)),
      (out) => out.binary(E.TAGS, new Uint8Array(300)),
      openCluster(50, simpleBlock(1, 0, 0, [3])),
      cluster(90, simpleBlock(1, 0, 0, [4])),
    ]
    for (const sized of [true, false]) {
      const file = foreignFile([info, tracks(), openCluster(0, one, simpleBlock(1, 40, 0, [2])), ...after], { sized })
      const { seen, faults } = await read(file)
      expect(seen.map(([, pts]) => pts)).toEqual([0, 40, 50, 90])
      expect(faults).toEqual([])
    }
  })

  it('of tracks that are not known are passed over', async () => {
    const { seen } = await read(foreignFile([info, tracks(), cluster(0, simpleBlock(9, 0, 0x80, [7]), one)]))
    expect(seen).toEqual([[1, 0, true, [1]]])
  })
})

describe('lacing', () => {
  const lace = (flags: number, payload: number[], duration?: number, frameNs = 20_000_000) =>
    read(
      foreignFile([
        info,
        tracks(undefined, frameNs),
        cluster(0, blockGroup(blockBytes(2, 0, flags, payload), duration === undefined ? {} : { duration })),
      ]),
    )
  const expected = [
    [2, 0, true, [1, 1]],
    [2, 20, true, [2, 2, 2, 2]],
    [2, 40, true, [3, 3]],
  ]

  it('of Xiph, EBML and fixed size gives each frame its time', async () => {
    expect((await lace(0x02, [2, 2, 4, 1, 1, 2, 2, 2, 2, 3, 3])).seen).toEqual(expected)
    expect((await lace(0x06, [2, 0x82, 0xc1, 1, 1, 2, 2, 2, 2, 3, 3])).seen).toEqual(expected)
    expect((await lace(0x04, [1, 1, 1, 2, 2])).seen).toEqual([
      [2, 0, true, [1, 1]],
      [2, 20, true, [2, 2]],
    ])
  })

  it('of Xiph adds up sizes of 255 and more', async () => {
    const payload = [1, 255, 45, ...new Array(300).fill(4), 5]
    const { seen } = await lace(0x02, payload)
    expect(seen.map(([, pts, , data]) => [pts, data.length])).toEqual([
      [0, 300],
      [20, 1],
    ])
  })

  it('takes the time from the block, or from the frames, when the track states none', async () => {
    expect((await lace(0x04, [1, 1, 1, 2, 2], 60, 0)).seen.map(([, pts]) => pts)).toEqual([0, 30])
    const pcm = new Array(640).fill(0)
    expect((await lace(0x04, [1, ...pcm], undefined, 0)).seen.map(([, pts]) => pts)).toEqual([0, 20])
  })

  it('that lies is a fault and gives nothing', async () => {
    for (const payload of [
      [0x02],
      [0x02, 3, 200, 1, 1],
      [0x02, 3, 255],
      [0x06, 2, 0x82, 0x80],
      [0x06, 2],
      [0x04, 2, 1],
    ]) {
      const [flags, ...rest] = payload
      const { seen, faults } = await lace(flags, rest)
      expect([seen, faults]).toEqual([[], ['bad-block']])
    }
  })
})

describe('damage', () => {
  const whole = foreignFile([info, tracks(), openCluster(0, one, simpleBlock(1, 40, 0, [2, 2, 2, 2]))])

  it('ends what is read before a torn block', async () => {
    for (let cut = 1; cut < 10; cut++) {
      const { seen, faults } = await read(whole.subarray(0, whole.length - cut))
      expect(seen).toEqual([[1, 0, true, [1]]])
      expect(faults).toEqual(['torn-tail'])
    }
  })

  it('in the middle is passed over up to the next Cluster', async () => {
    const garbage: Piece = (out) => out.raw(new Uint8Array(300_000).fill(0x01, 0, 17))
    for (const make of [cluster, openCluster]) {
      const bytes = foreignFile([info, tracks(), make(0, one), garbage, make(80, simpleBlock(1, 0, 0, [2]))])
      const { seen, faults } = await read(bytes)
      expect(seen.map(([, pts]) => pts)).toEqual([0, 80])
      expect(faults).toEqual(['garbage'])
    }
  })

  it('inside of a Cluster of known size costs no other', async () => {
    const broken: Piece = (out) => out.raw(Uint8Array.of(0, 0, 0, 0, 0xa3, 0x01, 0x10, 0, 0, 0, 0, 0, 0))
    const { seen, faults } = await read(
      foreignFile([info, tracks(), cluster(0, one, broken, one), cluster(80, simpleBlock(1, 0, 0, [2]))]),
    )
    expect(seen.map(([, pts]) => pts)).toEqual([0, 80])
    expect(faults).toEqual(['garbage'])
  })

  it('of a size that reaches behind the file does not hide what follows', async () => {
    const liar: Piece = (out) => out.raw(Uint8Array.of(0xa3, 0x08, 0xff, 0xff, 0xff, 0xff, 0x81, 0, 0, 0))
    const { seen, faults } = await read(
      foreignFile([info, tracks(), openCluster(0, one, liar), openCluster(80, simpleBlock(1, 0, 0, [2]))]),
    )
    expect(seen.map(([, pts]) => pts)).toEqual([0, 80])
    expect(faults).toEqual(['garbage'])
  })

  it('within the header leaves a file without tracks', async () => {
    const file = foreignFile([info, tracks()])
    for (const length of [0, 3, 12, 20, 40, 60, file.length - 1]) {
      const { reader, seen, faults } = await read(file.subarray(0, length))
      expect([reader.tracks, seen, faults]).toEqual([[], [], ['torn-header']])
    }
  })

  it('of blocks without a header is noted', async () => {
    const { seen, faults } = await read(
      foreignFile([info, tracks(), cluster(0, (out) => out.binary(E.SIMPLE_BLOCK, Uint8Array.of(0x81, 0)), one)]),
    )
    expect([seen.length, faults]).toEqual([1, ['bad-block']])
  })
})

describe('headers', () => {
  const entry =
    (fill: Piece): Piece =>
    (out) =>
      out.master(E.TRACKS, (entries) =>
        entries.master(E.TRACK_ENTRY, (track) => {
          track.uint(E.TRACK_NUMBER, 1).uint(E.TRACK_TYPE, 1)
          fill(track)
        }),
      )

  it('of other document types are refused', async () => {
    await expect(read(foreignFile([], { docType: 'cook-book' }))).rejects.toThrow(UnsupportedError)
    await expect(read(Buffer.from('FLV\x01 and more of it'))).rejects.toThrow(MalformedError)
    await expect(read(new Uint8Array(64))).rejects.toThrow(MalformedError)
  })

  it('with codecs that tapedeck does not know keep the other tracks', async () => {
    const unknown = entry((track) => track.text(E.CODEC_ID, 'V_THEORA'))
    expect((await read(foreignFile([info, unknown]))).faults).toEqual(['unsupported-track'])
  })

  it('with a broken configuration fall back to what the container says', async () => {
    const broken = entry((track) => {
      track.text(E.CODEC_ID, 'V_MPEG4/ISO/AVC').binary(E.CODEC_PRIVATE, Uint8Array.of(9, 9))
      track.master(E.VIDEO, (video) => video.uint(E.PIXEL_WIDTH, 640).uint(E.PIXEL_HEIGHT, 360))
    })
    const { reader, faults } = await read(foreignFile([info, broken]))
    expect(faults).toEqual(['bad-config'])
    expect(reader.tracks[0]).toMatchObject({ codec: 'h264', width: 640, height: 360 })
  })

  it('say when frames are stripped, compressed or encrypted', async () => {
    const encoded =
      (algorithm: number, type = 0): Piece =>
      (out) =>
        out.master(E.CONTENT_ENCODINGS, (encodings) =>
          encodings.master(E.CONTENT_ENCODING, (encoding) => {
            encoding.uint(E.CONTENT_ENCODING_TYPE, type)
            encoding.master(E.CONTENT_COMPRESSION, (compression) => compression.uint(E.CONTENT_COMP_ALGO, algorithm))
          }),
        )
    const stripped = await read(foreignFile([info, tracks(encoded(3)), cluster(0, one)]))
    expect([stripped.seen.length, stripped.faults]).toEqual([1, ['stripped-headers', 'stripped-headers']])
    for (const opaque of [encoded(0), encoded(3, 1)]) {
      const { seen, faults } = await read(foreignFile([info, tracks(opaque), cluster(0, one)]))
      expect([seen.length, faults]).toEqual([0, ['unsupported-track', 'unsupported-track']])
    }
  })

  it('may stand behind the Clusters, when the SeekHead tells', async () => {
    const media = cluster(0, one)
    const measured = new EbmlWriter()
    const seekHead =
      (position: number): Piece =>
      (out) =>
        out.master(E.SEEK_HEAD, (seeks) =>
          seeks.master(E.SEEK, (seek) => seek.uint(E.SEEK_ID, E.TRACKS).uint(E.SEEK_POSITION, position, 8)),
        )
    for (const piece of [seekHead(0), info, media]) piece(measured)
    const { seen, faults } = await read(foreignFile([seekHead(measured.length), info, media, tracks()]))
    expect([seen.length, faults]).toEqual([1, []])
  })

  it('with a timestamp scale that is no part of a second count in nanoseconds', async () => {
    const odd: Piece = (out) => out.master(E.INFO, (inside) => inside.uint(E.TIMESTAMP_SCALE, 22_675))
    const { reader, seen } = await read(foreignFile([odd, tracks(), cluster(1000, one)]))
    expect([reader.tracks[0].timescale, seen[0][1]]).toEqual([1_000_000_000, 22_675_000])
    const fine: Piece = (out) => out.master(E.INFO, (inside) => inside.uint(E.TIMESTAMP_SCALE, 100_000))
    expect((await read(foreignFile([fine, tracks(), cluster(1000, one)]))).reader.tracks[0].timescale).toBe(10_000)
  })
})

describe('a file that grows', () => {
  it('shows what is there each time it is read', async () => {
    const bytes = foreignFile([info, tracks(), openCluster(0, one, simpleBlock(1, 40, 0, [2]))])
    const file = new MemoryFile(bytes.subarray(0, bytes.length - 7))
    const reader = await openMatroska(file)
    const count = async () => {
      let frames = 0
      for await (const _ of reader.samples()) frames++
      return frames
    }
    expect(await count()).toBe(1)
    await file.write(file.sizeBytes, bytes.subarray(file.sizeBytes))
    expect(await count()).toBe(2)
  })
})
