import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../src/api/rest/openapi.ts'
import { OPERATIONS } from '../../src/api/rest/operations.ts'
import { ROUTES } from '../../src/api/rest/routes.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> }
  readonly responses: Readonly<Record<string, object>>
}

describe('the OpenAPI document', async () => {
  const text = openApiDocument('/api', '1.2.3')
  const document: { paths: Record<string, Record<string, Operation>>; components: { schemas: object } } =
    JSON.parse(text)

  it('is OpenAPI 3.1', async () => {
    const validator = new Validator()
    const result = await validator.validate(JSON.parse(text))
    expect(result.errors).toBeUndefined()
    expect(result.valid).toBe(true)
    expect(validator.version).toBe('3.1')
  })

  it('has every operation, with its path parameters, and errors in one shape', () => {
    const found = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    )
    const expected = Object.entries(OPERATIONS).map(([id, [method, path]]) => `${id} ${method} ${path}`)
    expect(found.map(({ path, method, operation }) => `${operation.operationId} ${method} ${path}`).sort()).toEqual(
      expected.sort(),
    )
    for (const { path, operation } of found) {
      const named = (operation.parameters ?? []).filter((each) => each.in === 'path').map(({ name }) => name)
      expect(named, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) >= 400) expect(JSON.stringify(response)).toContain('#/components/schemas/Error')
      }
    }
  })

  it('names what is told again and again', () => {
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Error', 'Job', 'Marker', 'Participant', 'Recording', 'RecordingFile', 'Room', 'Server']),
    )
    expect(text.length).toBeLessThan(200_000)
  })

  it('lets a body be left out where the route does', () => {
    const start = document.paths['/rooms/{room_id}/recording/start']?.post
    expect(start?.requestBody).toBeDefined()
    expect(document.paths['/recordings/{recording_id}/hold']?.put?.requestBody).toBeUndefined()
    expect(start?.parameters?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['room_id', 'recording_format', 'quality']),
    )
    expect(start?.parameters?.find(({ name }) => name === 'quality')?.required).not.toBe(true)
  })
})

describe('the route table', () => {
  it('asks in every path for what it has names for', () => {
    for (const [id, [, path]] of Object.entries(OPERATIONS)) {
      const route = Object.entries(ROUTES).find(([name]) => name === id)?.[1]
      expect(Object.keys(route?.params.shape ?? {}), id).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
      )
    }
  })
})
