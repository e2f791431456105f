/** ISO 639-2 languages whose bibliographic code, which Matroska wants (RFC 9559 §12), is another than the terminologic one. */
const BIBLIOGRAPHIC = {
  bod: 'tib',
  ces: 'cze',
  cym: 'wel',
  deu: 'ger',
  ell: 'gre',
  eus: 'baq',
  fas: 'per',
  fra: 'fre',
  hye: 'arm',
  isl: 'ice',
  kat: 'geo',
  mkd: 'mac',
  mri: 'mao',
  msa: 'may',
  mya: 'bur',
  nld: 'dut',
  ron: 'rum',
  slk: 'slo',
  sqi: 'alb',
  zho: 'chi',
} as const

const TO_BIBLIOGRAPHIC = new Map<string, string>(Object.entries(BIBLIOGRAPHIC))
const TO_TERMINOLOGIC = new Map<string, string>(Object.entries(BIBLIOGRAPHIC).map(([t, b]) => [b, t]))

/** Matroska's code of an ISO 639-2/T one; `und` where there is none, since a missing Language would mean English. */
export function bibliographicLanguage(language: string | undefined): string {
  if (language === undefined || !/^[a-z]{3}$/.test(language)) return 'und'
  return TO_BIBLIOGRAPHIC.get(language) ?? language
}

/** ISO 639-2/T of a Matroska code; undefined for `und` and for what is no such code. */
export function terminologicLanguage(language: string): string | undefined {
  const code = language.slice(0, 3).toLowerCase()
  if (code === 'und' || !/^[a-z]{3}$/.test(code)) return undefined
  return TO_TERMINOLOGIC.get(code) ?? code
}
