// Package bundle takes code in and keeps it: a folder, a zip, a tar (plain,
// gzip, zstd) or a container image archive becomes a read-only tree that is
// named by its digest. Everything in an archive is taken for hostile: sizes,
// counts, names, links and kinds of file are bounded before they reach the
// disk, and nothing is ever written through a link of the archive's. What the
// code is for, and who may have it, is known elsewhere.
//
// On disk a store is
//
//	lock                    held while it is open
//	tmp/                    what is being unpacked; emptied by Open
//	bundles/HEX/tree/       directories 0555, files 0444 or 0555
//	bundles/HEX/info.json   its Info
//
// A bundle is written below tmp, flushed, and renamed into place: it is there
// whole or not at all.
package bundle
