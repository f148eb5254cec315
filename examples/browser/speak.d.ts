import type Cartesia from '@cartesia/cartesia-js';
import type { TTSSSEEvent } from '@cartesia/cartesia-js/resources/tts';

export function connect(brokerUrl: string, sessionToken: string): Promise<Cartesia>;
export function speak(cartesia: Cartesia, transcript: string): Promise<Blob>;
export function speakInEvents(cartesia: Cartesia, transcript: string): AsyncGenerator<TTSSSEEvent>;
export function listen(cartesia: Cartesia, recording: Blob): Promise<string>;
