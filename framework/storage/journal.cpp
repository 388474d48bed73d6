#include "storage/journal.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "storage/bytes.h"

namespace attune {
namespace {

constexpr std::string_view kMagic = "attune.journal@1\n", kMagicStem = "attune.journal@";
constexpr std::uint64_t kFrameBytes = 4 + 1 + 4;  // length, type, CRC

// The type byte of a record is the place of its alternative in JournalRecord; new ones go to the
// end.
struct Encode {
  ByteWriter& out;
  void operator()(const MetricRecord& r) const {
    out.text(r.split).text(r.name).put(r.step).put(r.value);
  }
  void operator()(const HashRecord& r) const { out.put(r.step).put(r.hash); }
  void operator()(const ProbeRecord& r) const {
    out.text(r.probe).text(r.quantity).put(r.step).put(static_cast<std::uint64_t>(r.values.size()));
    for (double v : r.values) out.put(v);
  }
  void operator()(const ProgressRecord& r) const { out.put(r.step).put(r.n_steps).put(r.loss); }
  void operator()(const NoteRecord& r) const { out.text(r.text); }
};

std::optional<JournalRecord> decode(std::uint8_t type, std::string_view payload) {
  ByteReader in(payload);
  JournalRecord record;
  switch (type) {
    case 0: {
      MetricRecord r;
      r.split = in.text(), r.name = in.text(), r.step = in.get<Index>(), r.value = in.get<double>();
      record = r;
      break;
    }
    case 1: {
      HashRecord r;
      r.step = in.get<Index>(), r.hash = in.get<std::uint64_t>();
      record = r;
      break;
    }
    case 2: {
      ProbeRecord r;
      r.probe = in.text(), r.quantity = in.text(), r.step = in.get<Index>();
      const auto count = in.get<std::uint64_t>();
      if (count != in.left() / sizeof(double)) return std::nullopt;
      r.values.resize(count);
      for (double& v : r.values) v = in.get<double>();
      record = std::move(r);
      break;
    }
    case 3: {
      ProgressRecord r;
      r.step = in.get<Index>(), r.n_steps = in.get<Index>(), r.loss = in.get<double>();
      record = r;
      break;
    }
    case 4:
      record = NoteRecord{in.text()};
      break;
    default:
      return std::nullopt;
  }
  return in.done() ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace

Journal::Journal(const std::string& path, std::uint64_t bytes)
    : file_(path, bytes < kMagic.size() ? 0 : bytes) {
  if (file_.size() == 0) file_.append(kMagic);
}

void Journal::append(const JournalRecord& record) {
  ByteWriter payload;
  std::visit(Encode{payload}, record);
  ByteWriter frame;
  frame.put(static_cast<std::uint32_t>(payload.bytes().size()));
  frame.put(static_cast<std::uint8_t>(record.index())).raw(payload.bytes());
  const std::uint32_t crc = crc32c(frame.bytes());
  file_.append(frame.put(crc).bytes());
}

JournalContent read_journal(const std::string& path, std::uint64_t limit) {
  JournalContent content;
  if (!file_exists(path)) return content;
  const std::string file = read_file(path);
  const std::string_view bytes = std::string_view(file).substr(0, limit);
  if (!bytes.starts_with(kMagic)) {
    const bool is_torn_start = kMagic.starts_with(bytes);
    ATTUNE_CHECK(is_torn_start || !bytes.starts_with(kMagicStem), DamagedError,
                 "{}: is a journal of another version of attune ({}, this one reads 1): finish the "
                 "trial with that version, "
                 "or remove the file to begin the trial anew",
                 path,
                 bytes.substr(kMagicStem.size(),
                              std::min<std::size_t>(bytes.find('\n'), 20) - kMagicStem.size()));
    ATTUNE_CHECK(is_torn_start, DamagedError,
                 "{}: is no journal, or its start is damaged: remove it to begin the trial anew",
                 path);
    if (!bytes.empty()) {
      content.tail = JournalContent::Tail::torn;
      content.problem = fmt::format("{}: ends within its first line", path);
    }
    return content;
  }
  content.bytes = kMagic.size();
  while (content.bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(content.bytes);
    ByteReader in(rest);
    const std::uint64_t size = in.get<std::uint32_t>() + kFrameBytes;
    const bool complete = in.ok() && size <= rest.size();
    if (complete) {
      const std::string_view frame = rest.substr(0, size);
      ByteReader crc(frame.substr(size - 4));
      if (crc.get<std::uint32_t>() == crc32c(frame.substr(0, size - 4))) {
        auto record =
            decode(static_cast<std::uint8_t>(frame[4]), frame.substr(5, size - kFrameBytes));
        ATTUNE_CHECK(record, DamagedError,
                     "{}: holds a record at byte {} that this version of attune does not know: "
                     "finish the trial with the "
                     "version that began it, or remove the file to begin the trial anew",
                     path, content.bytes);
        content.records.push_back(std::move(*record));
        content.bytes += size;
        continue;
      }
    }
    // A record that a write left unfinished reaches to the end of the file; bytes behind it mean
    // that it was whole once.
    const bool torn = !complete || size == rest.size();
    content.tail = torn ? JournalContent::Tail::torn : JournalContent::Tail::damaged;
    content.problem = fmt::format(
        "{}: the record at byte {} of {} is {}; the {} records before it are good", path,
        content.bytes, bytes.size(), torn ? "incomplete" : "damaged", content.records.size());
    break;
  }
  return content;
}

}  // namespace attune
