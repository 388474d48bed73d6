#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "import/raw_volume.h"
#include "import/text_header.h"

// Keys and types: ITK's MetaIO documentation, "Reading a Brick-of-Bytes" and its list of tags.

namespace attune {
namespace {

const std::map<std::string, RawType, std::less<>> kTypes = {
    {"MET_CHAR", RawType::int8},       {"MET_UCHAR", RawType::uint8},
    {"MET_SHORT", RawType::int16},     {"MET_USHORT", RawType::uint16},
    {"MET_INT", RawType::int32},       {"MET_UINT", RawType::uint32},
    {"MET_LONG_LONG", RawType::int64}, {"MET_ULONG_LONG", RawType::uint64},
    {"MET_FLOAT", RawType::float32},   {"MET_DOUBLE", RawType::float64}};

class Header {
 public:
  explicit Header(const std::string& path) : path_(path) {
    const std::string text = read_text_header(path);
    for (std::size_t at = 0; const auto line = next_line(text, at);) {
      const std::size_t equals = line->find('=');
      if (equals == line->npos) break;
      const std::string key(trim(line->substr(0, equals)));
      values_[key] = trim(line->substr(equals + 1));
      if (key != "ElementDataFile") continue;
      end_ = at;
      return;
    }
    damaged(path, "its header does not end in a line ElementDataFile");
  }
  std::size_t end() const { return end_; }  // the header's bytes

  std::string text(std::string_view key, const char* otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }
  bool yes(std::string_view key) const {
    const std::string value = text(key, "");
    return !value.empty() && std::string_view("Tt1").find(value[0]) != std::string_view::npos;
  }
  // `count` numbers; none where the key is absent.
  std::vector<double> list(std::string_view key, std::size_t count) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return {};
    const auto values = numbers(found->second);
    if (!values || values->size() != count)
      damaged(path_, fmt::format("{} = {} should be {} numbers", key, found->second, count));
    return *values;
  }
  double number(std::string_view key, double otherwise) const {
    const auto values = list(key, 1);
    return values.empty() ? otherwise : values[0];
  }

 private:
  std::string path_;
  std::map<std::string, std::string, std::less<>> values_;
  std::size_t end_ = 0;
};

}  // namespace

std::unique_ptr<SliceReader> open_metaimage(const std::string& path) {
  const Header h(path);
  RawLayout layout;
  layout.header.format = "MetaImage";
  const double n_dims = h.number("NDims", 0);
  if (!(n_dims >= 1 && n_dims <= 10)) damaged(path, fmt::format("it has NDims = {}", n_dims));
  const auto n = static_cast<std::size_t>(n_dims);
  set_sizes(path, h.list("DimSize", n), layout.header);
  auto spacing = h.list("ElementSpacing", n);
  if (spacing.empty()) spacing = h.list("ElementSize", n);
  if (spacing.size() >= 2) {
    layout.header.column_spacing = spacing_in_mm(spacing[0], 1);
    layout.header.row_spacing = spacing_in_mm(spacing[1], 1);
  }
  const std::string type = h.text("ElementType", "nothing");
  const auto known = kTypes.find(type);
  ATTUNE_CHECK(known != kTypes.end(), DataError,
               "{} has pixels of type {}, which import does not read: allowed are MET_CHAR, "
               "MET_SHORT, MET_INT, MET_LONG_LONG, their MET_U…, MET_FLOAT and MET_DOUBLE",
               path, type);
  layout.type = known->second;
  const double channels = h.number("ElementNumberOfChannels", 1);
  ATTUNE_CHECK(channels == 1 || channels == 3 || channels == 4, DataError,
               "{} has {} numbers a pixel; import takes 1 (gray), 3 (colour) and 4 (with alpha)",
               path, channels);
  layout.n_components = static_cast<std::size_t>(channels);
  layout.slope = h.number("ElementToIntensityFunctionSlope", 1);
  layout.intercept = h.number("ElementToIntensityFunctionOffset", 0);
  layout.big_endian = h.yes("BinaryDataByteOrderMSB") || h.yes("ElementByteOrderMSB");
  layout.deflated = h.yes("CompressedData");
  ATTUNE_CHECK(h.text("BinaryData", "True") != "False", DataError,
               "{} holds its pixels as text: save it with BinaryData = True", path);

  const std::string data = h.text("ElementDataFile", "");
  const bool local = data == "LOCAL" || data == "Local" || data == "local";
  ATTUNE_CHECK(local || (data.find_first_of(" %") == data.npos && data != "LIST"), DataError,
               "{} spreads its slices over several files ({}): save it as one", path, data);
  layout.data_file = local ? path : data_file_beside(path, data);
  const double skip = h.number("HeaderSize", 0);
  layout.from_end = skip == -1;
  if (!(skip >= -1 && skip < 1e12)) damaged(path, fmt::format("it has HeaderSize = {}", skip));
  layout.offset = local ? h.end() : layout.from_end ? 0 : static_cast<std::uint64_t>(skip);
  layout.fills_file = !local && skip == 0;
  const double said = h.number("CompressedDataSize", -1);
  if (const double stored = static_cast<double>(std::filesystem::file_size(layout.data_file)) -
                            static_cast<double>(layout.offset);
      layout.deflated && said >= 0 && said != stored)
    damaged(path,
            fmt::format("it says CompressedDataSize = {}, and {} bytes are there", said, stored));
  return open_raw(path, std::move(layout));
}

}  // namespace attune
