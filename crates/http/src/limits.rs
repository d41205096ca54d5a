//! Every bound of this crate, by name, with its default and the reason for it.
//!
//! What happens at a bound stands with the bound. No bound is silent: a head over its limits is refused with a
//! finding, a body parser stops adding and names the bound in [`crate::ParsedBody::limit_hits`].

/// Bounds on a message head.
#[derive(Clone, Debug)]
pub struct HeadLimits {
    /// The whole head in bytes, start line and blank line included. Over it: refused with
    /// [`crate::FramingFinding::HeadTooLarge`]. Default 64 KiB: nginx allows 4 x 8 KiB, Envoy 60 KiB.
    pub head_bytes_max: usize,
    /// The start line in bytes without its line end. Over it: refused with
    /// [`crate::FramingFinding::LineTooLong`]. Default 32 KiB: twice what common servers take, so that a rule can
    /// see a long one.
    pub line_bytes_max: usize,
    /// Header fields. Over it: refused with [`crate::FramingFinding::TooManyHeaders`]. Default 200: Envoy takes 100.
    pub headers_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { head_bytes_max: 64 * 1024, line_bytes_max: 32 * 1024, headers_max: 200 }
    }
}

/// Bounds on body parsers. How many bytes of body are held at all is the caller's to say.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    /// Fields kept. Over it: later ones are counted as seen and not kept, [`LimitHit::Arguments`]. Default 1000: the
    /// default of `SecArgumentsLimit`.
    pub arguments_max: usize,
    /// Separator of `application/x-www-form-urlencoded` arguments (`SecArgumentSeparator`). Default `&`.
    pub argument_separator: u8,
    /// Bytes of all names kept together. A deep JSON path repeated for each leaf costs here. Over it: as for
    /// `arguments_max`, [`LimitHit::KeyBytes`]. Default 512 KiB: a thousand names of 512 bytes. Rules look at names as at
    /// values, and a short body repeats a long name cheaply, so this is what it may cost them.
    pub key_bytes_max: usize,
    /// Containers inside one another in JSON. Over it: an error, [`LimitHit::JsonDepth`]; what was read stays.
    /// Default 512: far above what people write and `SecRequestBodyJsonDepthLimit`'s usual setting.
    pub json_depth_max: usize,
    /// Parts of a multipart body. Over it: an error, [`LimitHit::Parts`]. Default 1000, as for arguments.
    pub parts_max: usize,
    /// One header line of a part, its line end included. Over it: an error, [`LimitHit::PartHeader`]. Default 4096:
    /// ModSecurity's line buffer.
    pub part_header_bytes_max: usize,
    /// All header lines of one part. Over it: an error, [`LimitHit::PartHeader`]. Default 16 KiB.
    pub part_headers_bytes_max: usize,
    /// Uploaded files whose content is kept (`SecUploadFileLimit`). Over it: content is not kept and
    /// [`crate::MultipartFlags::file_limit_exceeded`] is set. Only counts when `file_content_bytes_max` is not 0,
    /// as in ModSecurity. Default 100.
    pub files_max: usize,
    /// Bytes of one file's content kept for `FILES_TMP_CONTENT`; 0 keeps none. Over it: the rest is counted in the
    /// size and [`crate::MultipartFile::content_truncated`] is set. Default 0: content is inspected only when asked.
    pub file_content_bytes_max: usize,
    /// Nodes (elements, attributes, runs of text) of an XML document. Over it: an error, [`LimitHit::XmlNodes`].
    /// Default 100,000: about 6 MB of tree.
    pub xml_nodes_max: usize,
    /// Elements inside one another. Over it: an error, [`LimitHit::XmlDepth`]. Default 256: libxml2's own bound.
    pub xml_depth_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        BodyLimits {
            arguments_max: 1000,
            argument_separator: b'&',
            key_bytes_max: 512 * 1024,
            json_depth_max: 512,
            parts_max: 1000,
            part_header_bytes_max: 4096,
            part_headers_bytes_max: 16 * 1024,
            files_max: 100,
            file_content_bytes_max: 0,
            xml_nodes_max: 100_000,
            xml_depth_max: 256,
        }
    }
}

/// Which bound of [`BodyLimits`] was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitHit {
    /// [`BodyLimits::arguments_max`].
    Arguments,
    /// [`BodyLimits::key_bytes_max`].
    KeyBytes,
    /// [`BodyLimits::json_depth_max`].
    JsonDepth,
    /// [`BodyLimits::parts_max`].
    Parts,
    /// [`BodyLimits::part_header_bytes_max`] or [`BodyLimits::part_headers_bytes_max`].
    PartHeader,
    /// [`BodyLimits::files_max`].
    Files,
    /// [`BodyLimits::file_content_bytes_max`], only when that is not 0.
    FileContent,
    /// [`BodyLimits::xml_nodes_max`].
    XmlNodes,
    /// [`BodyLimits::xml_depth_max`].
    XmlDepth,
}

impl LimitHit {
    /// The bound's name in [`BodyLimits`].
    pub fn name(self) -> &'static str {
        match self {
            LimitHit::Arguments => "arguments_max",
            LimitHit::KeyBytes => "key_bytes_max",
            LimitHit::JsonDepth => "json_depth_max",
            LimitHit::Parts => "parts_max",
            LimitHit::PartHeader => "part_header_bytes_max",
            LimitHit::Files => "files_max",
            LimitHit::FileContent => "file_content_bytes_max",
            LimitHit::XmlNodes => "xml_nodes_max",
            LimitHit::XmlDepth => "xml_depth_max",
        }
    }
}

/// Fields under the bounds of [`BodyLimits`]: the one place where arguments are counted.
#[derive(Clone, Debug)]
pub(crate) struct BoundedFields {
    pub(crate) fields: crate::Fields,
    pub(crate) hits: Vec<LimitHit>,
    arguments_max: usize,
    key_bytes_left: usize,
}

impl BoundedFields {
    pub(crate) fn new(limits: &BodyLimits) -> Self {
        Self::reusing(limits, crate::Fields::new())
    }

    /// The same in memory that is there already; what it holds is forgotten.
    pub(crate) fn reusing(limits: &BodyLimits, mut fields: crate::Fields) -> Self {
        fields.clear();
        BoundedFields {
            fields,
            hits: Vec::new(),
            arguments_max: limits.arguments_max,
            key_bytes_left: limits.key_bytes_max,
        }
    }

    /// Whether nothing more will be kept, so that a caller may spare itself building names.
    pub(crate) fn is_full(&self) -> bool {
        self.fields.len() >= self.arguments_max
    }

    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        if self.admits(name.len()) {
            self.fields.push_of_many(name, value);
        }
    }

    /// Ends the field that is being written to `fields`, or drops it.
    pub(crate) fn end(&mut self, name_length: usize) {
        if self.admits(name_length) {
            self.fields.end(name_length);
        } else {
            self.fields.abandon();
        }
    }

    fn admits(&mut self, name_length: usize) -> bool {
        if self.is_full() {
            note(&mut self.hits, LimitHit::Arguments);
            false
        } else if name_length > self.key_bytes_left {
            note(&mut self.hits, LimitHit::KeyBytes);
            false
        } else {
            self.key_bytes_left -= name_length;
            true
        }
    }
}

/// Adds a hit once.
pub(crate) fn note(hits: &mut Vec<LimitHit>, hit: LimitHit) {
    if !hits.contains(&hit) {
        hits.push(hit);
    }
}
