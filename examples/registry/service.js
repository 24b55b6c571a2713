// What an instance tells of itself: checked when it is written, and when it is read.
import { z } from 'zod';

export const instance = z.object({ host: z.string(), port: z.int(), zone: z.string() });
