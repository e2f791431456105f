import type { z } from 'zod'
import type { CatalogueEntry } from '../../state/catalogue-entry.ts'
import type { Caller } from '../caller.ts'
import type { OPERATIONS, OperationId } from './operations.ts'
import type { RawOperationId, ROUTES } from './routes.ts'

/** Operations that are answered with JSON, or with nothing. */
export type JsonOperationId = Exclude<OperationId, RawOperationId>

type PathOf<Id extends OperationId> = (typeof OPERATIONS)[Id][1]

/** A request that was checked: it fits its route, and its caller may do this. */
export type Call<Id extends OperationId> = {
  readonly caller: Caller
  readonly params: z.output<(typeof ROUTES)[Id]['params']>
  readonly query: z.output<(typeof ROUTES)[Id]['query']>
  readonly body: z.output<(typeof ROUTES)[Id]['body']>
  /** Where the API was reached: `/api` or `/api/webrtc`. */
  readonly mount: string
} & (PathOf<Id> extends `${string}{recording_id}${string}`
  ? {
      /** The recording of the path. */
      readonly entry: CatalogueEntry
    }
  : unknown)

/** Makes the answer of one operation. */
export type Handler<Id extends JsonOperationId> = (call: Call<Id>) => Promise<z.output<(typeof ROUTES)[Id]['answer']>>
/** The handlers of some operations. */
export type Handlers<Ids extends JsonOperationId> = { readonly [Id in Ids]: Handler<Id> }
