import { Counter, Gauge, type Registry } from 'prom-client'
import { isDoneWithin } from '../media/patience.ts'

/** A disk or a state that does not answer is not waited for any longer, ms. */
const PATIENCE_MS = 1000

/** Values by the one label that a metric has. */
export type LabelledValues = Readonly<Record<string, number>>

/**
 * Metrics that are read when somebody asks for the page, and cost nothing until then. What cannot be read now is left out, and the
 * page is for the rest.
 */
export class MetricReader {
  readonly #registers: Registry[]

  constructor(registry: Registry) {
    this.#registers = [registry]
  }

  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    this.gauges(name, help, [], async (gauge) => gauge.set(await read()))
  }

  /** One value for each value of `label`. */
  gaugeBy(label: string, name: string, help: string, read: () => LabelledValues | Promise<LabelledValues>): void {
    this.gauges(name, help, [label], async (gauge) => {
      for (const [key, value] of Object.entries(await read())) gauge.set({ [label]: key }, value)
    })
  }

  gauges(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void | Promise<void>): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: this.#registers,
      async collect() {
        this.reset()
        const asked = async () => read(this)
        await isDoneWithin(
          asked().catch(() => undefined),
          PATIENCE_MS,
        )
      },
    })
  }

  counter(name: string, help: string, read: () => number): void {
    this.#counters(name, help, [], (counter) => counter.inc(read()))
  }

  /** One count for each value of `label`. */
  counterBy(label: string, name: string, help: string, read: () => LabelledValues): void {
    this.#counters(name, help, [label], (counter) => {
      for (const [key, count] of Object.entries(read())) counter.inc({ [label]: key }, count)
    })
  }

  #counters(name: string, help: string, labelNames: string[], read: (counter: Counter) => void): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: this.#registers,
      collect() {
        this.reset()
        read(this)
      },
    })
  }
}
