const SLOTS = 1024 // further back nobody refers

/** Which pictures, by their numbers, came whole and with all that they refer to. */
export class ReferenceLedger {
  readonly #numbers = new Int32Array(SLOTS).fill(-1)

  /** A picture that everything may refer to. */
  add(number: number): void {
    this.#numbers[number % SLOTS] = number
  }

  has(number: number): boolean {
    return this.#numbers[number % SLOTS] === number
  }

  clear(): void {
    this.#numbers.fill(-1)
  }
}
