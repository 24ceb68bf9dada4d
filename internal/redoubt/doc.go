// Package redoubt is the vocabulary: the nouns every other package speaks in,
// with small methods and no I/O. It imports nothing of this module, so any
// package may import it. docs/GLOSSARY.md says in prose what each noun means.
package redoubt
