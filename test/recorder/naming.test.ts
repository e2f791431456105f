import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FilenameTemplate, pathWithin, TemplateError, timestampOf } from '../../src/recorder/naming.ts'
import { safeName } from '../../src/recorder/safe-name.ts'

const facts = {
  room: 'live',
  participant: 'test',
  startedAtMs: new Date(2026, 10, 21, 14, 0, 52, 123).getTime(),
  codec: 'h264',
  resolution: '1280x720',
  part: 1,
}

describe('a filename template', () => {
  it('names a file after room, participant and local time', () => {
    const template = new FilenameTemplate('{room}_{participant}_{timestamp}')
    expect(template.stem(facts)).toBe('live_test_20261121_140052.123')
  })

  it('knows codec, resolution and part, and makes directories', () => {
    const template = new FilenameTemplate('{room}/{participant}/{codec}-{resolution}-{part}')
    expect(template.stem({ ...facts, part: 3 })).toBe('live/test/h264-1280x720-3')
  })

  it('appends the part from the second on where the template does not', () => {
    const template = new FilenameTemplate('{room}')
    expect([1, 2, 3].map((part) => template.stem({ ...facts, part }))).toEqual(['live', 'live_part2', 'live_part3'])
  })

  it.each([
    ['{rom}', 'there is no {rom}'],
    ['{}', 'there is no {}'],
    ['{room', 'a brace stands alone'],
    ['room}', 'a brace stands alone'],
    ['/etc/{room}', 'must not begin with "/"'],
    ['a//{room}', 'is empty'],
    ['', 'is empty'],
    ['{room}/', 'is empty'],
    ['../{room}', '"." and ".."'],
    ['{room}/../x', '"." and ".."'],
    ['a\\{room}', '"\\"'],
    ['a\u0000{room}', 'control characters'],
  ])('%j is refused, saying why', (template, why) => {
    expect(() => new FilenameTemplate(template)).toThrow(TemplateError)
    expect(() => new FilenameTemplate(template)).toThrow(why)
    expect(() => new FilenameTemplate(template)).toThrow('{participant}')
  })

  it('pads its timestamp', () => {
    expect(timestampOf(new Date(2026, 0, 2, 3, 4, 5, 6).getTime())).toBe('20260102_030405.006')
  })

  it('stays in its directory and within what a file system takes, whatever the names', () => {
    const template = new FilenameTemplate('{room}/{participant}_{room}_{participant}_{timestamp}')
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.stringMatching(/^[./\\ ]*$/),
      fc.constantFrom(
        '../../etc/passwd',
        'CON',
        'nul.txt',
        'a\0b',
        '\u202egnp.exe',
        '‥',
        '／etc',
        'é'.repeat(200),
        '👩‍👩‍👧‍👦'.repeat(40),
      ),
    )
    fc.assert(
      fc.property(nasty, nasty, fc.integer({ min: 1, max: 9999 }), (room, participant, part) => {
        const path = pathWithin('/srv/media', template.stem({ ...facts, room, participant, part }), '.mp4', 77)
        const relative = path.slice('/srv/media/'.length)
        expect(path.startsWith('/srv/media/')).toBe(true)
        expect(relative.split('/')).toHaveLength(2)
        for (const segment of relative.split('/')) {
          expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255)
          expect(segment).not.toMatch(/^\.|[. ]$|[\p{Cc}\p{Cf}\\:*?"<>|]/u)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('checks the way out once more where the path is made', () => {
    expect(() => pathWithin('/srv/media', '../x', '.mp4')).toThrow(TemplateError)
    expect(() => pathWithin('/srv/media', '/etc/x', '.mp4')).toThrow(TemplateError)
    expect(pathWithin('/', 'x', '.mp4')).toBe(resolve('/x.mp4'))
  })
})

describe('a safe name', () => {
  it.each([
    ['alice', 'alice'],
    ['Ünïcode 名前 имя', 'Ünïcode 名前 имя'],
    ['e\u0301', '\u00e9'],
    ['a/b\\c', 'a_b_c'],
    ['..', '__'],
    ['.hidden', '_hidden'],
    ['-rf', '_rf'],
    ['name. .', 'name___'],
    ['', '_'],
    ['a\u0000b\nc\u007f', 'a_b_c_'],
    ['con', '_con'],
    ['LPT1.log', '_LPT1.log'],
    ['console', 'console'],
    ['a\u202eb\u200bc\ufeffd', 'a_b_c_d'],
    ['a\u2215b\uff0fc\u2044d\uff3ce', 'a_b_c_d_e'],
    ['\u2024\u2025', '__'],
    ['a\ud800b', 'a_b'],
    ['a\u00a0b\u2003c', 'a_b_c'],
    ['a:b*c?d"e<f>g|h', 'a_b_c_d_e_f_g_h'],
  ])('of %j is %j', (name, safe) => {
    expect(safeName(name)).toBe(safe)
  })

  it('is cut at 100 bytes, never within a character', () => {
    expect(safeName('x'.repeat(4096))).toBe('x'.repeat(100))
    expect(safeName('é'.repeat(4096))).toBe('é'.repeat(50))
    const families = safeName('👩‍👩‍👧‍👦'.repeat(30))
    expect(Buffer.byteLength(families)).toBeLessThanOrEqual(100)
    expect(families).not.toContain('\ufffd')
  })

  it('is stable', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (name) => {
        expect(safeName(safeName(name))).toBe(safeName(name))
      }),
      { numRuns: 2000 },
    )
  })
})
