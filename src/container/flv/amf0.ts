/** A value of AMF0 as JavaScript sees it. `undefined` is the AMF undefined type; objects keep the order of their keys. */
export type AmfValue = number | boolean | string | null | undefined | Date | AmfValue[] | { [key: string]: AmfValue }
