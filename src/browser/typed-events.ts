/// <reference lib="dom" />

/** An `EventTarget` whose events are known: `on` gives their details, and returns the way to stop listening. */
export class TypedEvents<Details extends object> {
  readonly #target = new EventTarget()

  on<Name extends keyof Details & string>(name: Name, listener: (detail: Details[Name]) => void): () => void {
    const call = (event: Event) => {
      if (event instanceof CustomEvent) listener(event.detail)
    }
    this.#target.addEventListener(name, call)
    return () => this.#target.removeEventListener(name, call)
  }

  protected tell<Name extends keyof Details & string>(name: Name, detail: Details[Name]): void {
    this.#target.dispatchEvent(new CustomEvent(name, { detail }))
  }
}
