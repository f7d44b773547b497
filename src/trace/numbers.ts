/** A list of numbers whose room is used again: `length` is set to 0, and nothing has to be made anew. */
export class Numbers {
  length = 0
  private readonly room: number[] = []

  at(i: number): number {
    return this.room[i]
  }

  add(number: number): void {
    this.room[this.length++] = number
  }

  includes(number: number): boolean {
    const { room, length } = this
    for (let i = 0; i < length; i++) if (room[i] === number) return true
    return false
  }

  get list(): number[] {
    return this.room.slice(0, this.length)
  }
}
