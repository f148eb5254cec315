/** Takes a piece of the report, Markdown: the command line prints it. */
export type Print = (text: string) => void;
