#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "import/raw_volume.h"
#include "import/text_header.h"

// Fields: teem.sourceforge.net/nrrd/format.html.

namespace attune {
namespace {

const std::map<std::string, RawType, std::less<>> kTypes = {
    {"signed char", RawType::int8},
    {"int8", RawType::int8},
    {"int8_t", RawType::int8},
    {"uchar", RawType::uint8},
    {"unsigned char", RawType::uint8},
    {"uint8", RawType::uint8},
    {"uint8_t", RawType::uint8},
    {"short", RawType::int16},
    {"short int", RawType::int16},
    {"signed short", RawType::int16},
    {"signed short int", RawType::int16},
    {"int16", RawType::int16},
    {"int16_t", RawType::int16},
    {"ushort", RawType::uint16},
    {"unsigned short", RawType::uint16},
    {"unsigned short int", RawType::uint16},
    {"uint16", RawType::uint16},
    {"uint16_t", RawType::uint16},
    {"int", RawType::int32},
    {"signed int", RawType::int32},
    {"int32", RawType::int32},
    {"int32_t", RawType::int32},
    {"uint", RawType::uint32},
    {"unsigned int", RawType::uint32},
    {"uint32", RawType::uint32},
    {"uint32_t", RawType::uint32},
    {"longlong", RawType::int64},
    {"long long", RawType::int64},
    {"long long int", RawType::int64},
    {"signed long long", RawType::int64},
    {"signed long long int", RawType::int64},
    {"int64", RawType::int64},
    {"int64_t", RawType::int64},
    {"ulonglong", RawType::uint64},
    {"unsigned long long", RawType::uint64},
    {"unsigned long long int", RawType::uint64},
    {"uint64", RawType::uint64},
    {"uint64_t", RawType::uint64},
    {"float", RawType::float32},
    {"double", RawType::float64}};

class Header {
 public:
  explicit Header(const std::string& path) : path_(path) {
    const std::string text = read_text_header(path);
    std::size_t at = 0;
    next_line(text, at);  // NRRD000x
    while (const auto line = next_line(text, at)) {
      if (line->empty()) {
        end_ = at;
        break;
      }
      const std::size_t colon = line->find(": ");
      if (line->starts_with('#') || colon == line->npos) continue;  // comments and key:=value
      values_[std::string(line->substr(0, colon))] = trim(line->substr(colon + 2));
    }
  }
  // Of the header, with its blank line; 0 where that is not there.
  std::size_t end() const { return end_; }

  std::string text(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      if (const auto found = values_.find(name); found != values_.end()) return found->second;
    return "";
  }
  std::vector<double> list(std::string_view name) const {
    const auto values = numbers(text({name}));
    if (!values) damaged(path_, fmt::format("{}: {} should be numbers", name, text({name})));
    return *values;
  }

 private:
  std::string path_;
  std::map<std::string, std::string, std::less<>> values_;
  std::size_t end_ = 0;
};

double mm_a_unit(std::string unit) {
  unit.erase(std::remove(unit.begin(), unit.end(), '"'), unit.end());
  if (unit == "m" || unit == "meter" || unit == "metre") return 1000;
  if (unit == "cm") return 10;
  if (unit == "um" || unit == "micron" || unit == "microns" || unit == "µm") return 0.001;
  if (unit == "nm") return 1e-6;
  return 1;
}

// The words of a line between spaces; a vector in parentheses is one.
std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> found(1);
  int depth = 0;
  for (const char c : line) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ' ' && depth == 0) {
      if (!found.back().empty()) found.emplace_back();
    } else {
      found.back() += c;
    }
  }
  if (found.back().empty()) found.pop_back();
  return found;
}

// Spacing of axis `axis` in mm: its own, or the length of its direction.
float spacing_of(const Header& h, std::size_t axis) {
  const auto at = [axis](const std::vector<std::string>& list) {
    return axis < list.size() ? list[axis] : "";
  };
  const std::string own = at(words(h.text({"spacings"})));
  if (const auto value = numbers(own); value && value->size() == 1)
    return spacing_in_mm(value->front(), mm_a_unit(at(words(h.text({"units"})))));
  std::string direction = at(words(h.text({"space directions"})));
  std::replace_if(
      direction.begin(), direction.end(), [](char c) { return c == '(' || c == ')' || c == ','; },
      ' ');
  const auto vector = numbers(direction);
  if (!vector || vector->empty()) return spacing_in_mm(0, 1);
  double squares = 0;
  for (const double x : *vector) squares += x * x;
  const auto units = words(h.text({"space units"}));
  return spacing_in_mm(std::sqrt(squares), mm_a_unit(units.empty() ? "" : units[0]));
}

// Numbers a pixel that stand on the first axis; 1 where that is an axis of the image. Numbers on
// another axis would be taken for images of their own.
std::size_t components_of(const std::string& path, const Header& h, double first_size) {
  const auto kinds = words(lower_case(h.text({"kinds"})));
  for (std::size_t axis = 1; axis < kinds.size(); ++axis)
    ATTUNE_CHECK(!kinds[axis].ends_with("-color") && kinds[axis] != "complex", DataError,
                 "{} has the numbers of a pixel ({}) on axis {} of {}: save it with them on the "
                 "first axis, side by side",
                 path, kinds[axis], axis + 1, kinds.size());
  if (kinds.empty() || kinds[0] == "domain" || kinds[0] == "space" || kinds[0] == "???" ||
      kinds[0] == "none")
    return 1;
  const bool colour = kinds[0] == "rgb-color" || kinds[0] == "rgba-color" ||
                      kinds[0] == "3-color" || kinds[0] == "4-color";
  ATTUNE_CHECK(colour && (first_size == 3 || first_size == 4), DataError,
               "{} has pixels of kind {} with {} numbers; import takes gray and colour", path,
               kinds[0], first_size);
  return static_cast<std::size_t>(first_size);
}

// Moves layout.offset over the lines that `line skip` says.
void skip_lines(const std::string& path, double count, RawLayout& layout) {
  const std::string text = read_text_header(layout.data_file);
  auto at = static_cast<std::size_t>(layout.offset);
  for (auto left = static_cast<std::int64_t>(count); left > 0; --left)
    if (!next_line(text, at)) damaged(path, fmt::format("it has no {} lines to skip", count));
  layout.offset = at;
}

}  // namespace

std::unique_ptr<SliceReader> open_nrrd(const std::string& path) {
  const Header h(path);
  RawLayout layout;
  layout.header.format = "NRRD";
  auto sizes = h.list("sizes");
  if (sizes.empty()) damaged(path, "its header says no sizes");
  if (const auto dimension = h.list("dimension");
      dimension.size() != 1 || dimension[0] != static_cast<double>(sizes.size()))
    damaged(path, fmt::format("dimension: {} does not fit sizes: {}", h.text({"dimension"}),
                              h.text({"sizes"})));
  layout.n_components = components_of(path, h, sizes[0]);
  const std::size_t first = layout.n_components > 1 ? 1 : 0;
  sizes.erase(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(first));
  set_sizes(path, sizes, layout.header);
  layout.header.column_spacing = spacing_of(h, first);
  layout.header.row_spacing = spacing_of(h, first + 1);

  const auto type = kTypes.find(lower_case(h.text({"type"})));
  ATTUNE_CHECK(type != kTypes.end(), DataError,
               "{} has pixels of type '{}', which import does not read: allowed are the whole "
               "numbers of 8 to 64 bits, float and double",
               path, h.text({"type"}));
  layout.type = type->second;
  layout.big_endian = lower_case(h.text({"endian"})) == "big";
  const std::string encoding = lower_case(h.text({"encoding"}));
  layout.deflated = encoding == "gzip" || encoding == "gz";
  ATTUNE_CHECK(layout.deflated || encoding == "raw", DataError,
               "{} is encoded as '{}'; import reads raw and gzip: save it as one of these", path,
               encoding);

  const std::string data = h.text({"data file", "datafile"});
  ATTUNE_CHECK(!data.starts_with("LIST") && data.find_first_of(" %") == data.npos, DataError,
               "{} spreads its slices over several files ({}): save it as one", path, data);
  if (data.empty() && h.end() == 0) damaged(path, "its header does not end");
  layout.data_file = data.empty() ? path : data_file_beside(path, data);
  layout.offset = data.empty() ? h.end() : 0;
  const auto skip_of = [&](std::initializer_list<std::string_view> names) {
    const auto value = numbers(h.text(names));
    const double skip = value && value->size() == 1 ? value->front() : 0;
    if (!(skip >= -1 && skip < 1e12)) damaged(path, fmt::format("it skips {}", skip));
    return skip;
  };
  skip_lines(path, skip_of({"line skip", "lineskip"}), layout);
  const double bytes = skip_of({"byte skip", "byteskip"});
  layout.from_end = bytes == -1 && !layout.deflated;
  layout.fills_file = !data.empty() && layout.offset == 0 && bytes == 0;
  if (bytes > 0)
    (layout.deflated ? layout.skip : layout.offset) += static_cast<std::uint64_t>(bytes);
  return open_raw(path, std::move(layout));
}

}  // namespace attune
