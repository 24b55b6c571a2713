/** Far more than anything here takes: it only keeps a broken test from hanging. */
export const guardMs = 60_000;

/** For `vi.waitFor` on real servers: its own limit of one second is too short for a busy machine. */
export const patience: { timeout: number; interval: number } = { timeout: 15_000, interval: 25 };
