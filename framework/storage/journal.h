#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/shape.h"

namespace attune {

// What a running trial has measured so far, record by record. The run file is made of it at the
// end; until then a kill loses nothing that was written, and `status` reads it at any time.
//
// A file is "attune.journal@1\n" and records: u32 bytes of payload | u8 type | payload | u32
// CRC-32C of all before, from the length on; integers little-endian, texts as u32 length and bytes.

struct MetricRecord {
  std::string split, name;
  Index step = 0;
  double value = 0;
  bool operator==(const MetricRecord&) const = default;
};
struct HashRecord {  // of all parameters after `step` steps
  Index step = 0;
  std::uint64_t hash = 0;
  bool operator==(const HashRecord&) const = default;
};
// Values of a probe's quantity along its other dimensions, captured at one step.
struct ProbeRecord {
  std::string probe, quantity;
  Index step = 0;
  std::vector<double> values;
  bool operator==(const ProbeRecord&) const = default;
};
// How far the trial is; the last one is what `status` shows.
struct ProgressRecord {
  Index step = 0, n_steps = 0;
  double loss = 0;
  bool operator==(const ProgressRecord&) const = default;
};
struct NoteRecord {
  std::string text;
  bool operator==(const NoteRecord&) const = default;
};
using JournalRecord =
    std::variant<MetricRecord, HashRecord, ProbeRecord, ProgressRecord, NoteRecord>;

class Journal {
 public:
  // Goes on after `bytes`, a size that size() or JournalContent::bytes gave; 0 begins anew.
  explicit Journal(const std::string& path, std::uint64_t bytes = 0);
  // One write(). StorageError when the disk is full; the journal is then as it was.
  void append(const JournalRecord& record);
  void sync() { file_.sync(); }
  std::uint64_t size() const { return file_.size(); }

 private:
  AppendFile file_;
};

struct JournalContent {
  // torn: the last record is incomplete, as a kill or a power cut leaves it. damaged: a record that
  // was complete has changed since. Either way the records before it are exact.
  enum class Tail { whole, torn, damaged };

  std::vector<JournalRecord> records;
  std::uint64_t bytes = 0;  // up to the end of the last good record
  Tail tail = Tail::whole;
  std::string problem;  // a sentence with file and offset, empty when whole
};

// Reads up to the first record that is not whole, at most `limit` bytes. An absent or empty file
// has no records; DamagedError for a file that is no journal, or one of a later version.
JournalContent read_journal(const std::string& path, std::uint64_t limit = UINT64_MAX);

}  // namespace attune
