package sheet

// The bounds of everything that is read. Whoever writes the file is a stranger.
const (
	// maxFileBytes bounds what is read of one file after unpacking. Our own
	// choice: the largest catalogue published as one file that we know of
	// (35,955 entries) has 3.4 MB; 100,000 entries with long abstracts stay
	// below 200 MB.
	maxFileBytes = 1 << 30

	// maxBookBytes bounds a workbook as it lies on the disk; the library holds it
	// in memory whole. maxBookUnzipped bounds what it may unfold to, and
	// maxBookPart the size above which a sheet is spilled to a temporary file.
	maxBookBytes    = 128 << 20
	maxBookUnzipped = 1 << 30
	maxBookPart     = 16 << 20

	// maxRows and maxColumns are those of the xlsx format (ECMA-376): 2^20 rows
	// of 2^14 columns. A text file may not be longer either.
	maxRows    = 1 << 20
	maxColumns = 1 << 14

	// maxRecordBytes bounds one record before parsing, maxCellBytes one cell.
	// xlsx allows 32,767 characters in a cell; portals publish abstracts of
	// some 10 KiB. Our own choice: thirty times that.
	maxRecordBytes = 4 << 20
	maxCellBytes   = 1 << 20

	// maxRecordLines is how many lines one quoted cell may span. A quote that is
	// never closed is recognised at the latest here, and not at the end of a file
	// that it would swallow.
	maxRecordLines = 2000

	// maxReopened is how often an unclosed quote is forgiven by reading its lines
	// again. After that, cells of several lines are no longer believed in this
	// file: a file of nothing but quotes may not cost the square of its length.
	maxReopened = 64

	// maxDepth bounds the nesting of a JSON record, maxFields the number of its
	// values. data.json, the deepest that portals publish, nests 6 deep; a data set of
	// data.gouv.fr with one resource a day has 30,000 values.
	maxDepth  = 32
	maxFields = 1 << 18

	// headerRows is how many rows from the top are searched for the header.
	// Published sheets have up to 5 rows of titles and notes above it.
	headerRows = 30

	// headBytes is how much of a text is looked at to tell what it is, maxKeyBytes
	// how long a key of an envelope may be to be understood.
	headBytes   = 64 << 10
	maxKeyBytes = 1 << 10

	// Graphs (RDF) are held in memory, because the parts of a record may stand
	// anywhere in the file. Measured: 140 bytes for each statement of a file of 2
	// million of them (69,000 data sets), text included; at the bound some 600 MB.
	// Bremen publishes 60 statements a data set, our own export some 30. Whoever has
	// more splits the file, or takes csv or JSON, which are read as a stream. maxNested
	// is how deep the nodes of a record are followed, and maxElements how deep elements
	// of RDF/XML and brackets of Turtle may nest. maxTree bounds a JSON-LD document
	// without a @graph, which has to be held as a tree of ten times its size, and
	// maxWrong the unreadable values of it that are told one by one.
	maxStatements = 1 << 22
	maxGraphBytes = 256 << 20
	maxNested     = 4
	maxElements   = 64
	maxTree       = 32 << 20
	maxWrong      = 1000

	// sampleBytes is how much text with bytes above 0x7F the decoders are scored on.
	sampleBytes = 256 << 10
)
