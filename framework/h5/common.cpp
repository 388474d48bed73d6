#include "h5/internal.h"

namespace attune {
namespace {

herr_t keep_innermost(unsigned, const H5E_error2_t* entry, void* out) {
  const std::string_view text = entry->desc != nullptr ? entry->desc : "";
  // "unable to open file: name = 'x', errno = 28, error message = 'No space left on device', …"
  constexpr std::string_view kKey = "error message = '";
  const std::size_t at = text.find(kKey);
  auto& message = *static_cast<std::string*>(out);
  if (at == std::string_view::npos) {
    message = text;
  } else {
    const std::string_view tail = text.substr(at + kKey.size());
    message = tail.substr(0, tail.find('\''));
  }
  return 1;  // stops the walk at the first entry
}

}  // namespace

// At the end of a process HDF5 closes what is open, which is nothing of ours, and crashes where a
// file could not be closed for want of room.
void silence_h5() {
  H5dont_atexit();  // before any other call of the library
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_h5_error() {
  std::string message;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &message);
  return message;
}

std::string h5_reason() {
  const std::string message = last_h5_error();
  return message.empty() ? "" : ": " + message;
}

hid_t native_type(H5Type type) {
  switch (type) {
    case H5Type::int8:
      return H5T_NATIVE_INT8;
    case H5Type::uint8:
      return H5T_NATIVE_UINT8;
    case H5Type::int32:
      return H5T_NATIVE_INT32;
    case H5Type::int64:
      return H5T_NATIVE_INT64;
    case H5Type::uint64:
      return H5T_NATIVE_UINT64;
    case H5Type::float32:
      return H5T_NATIVE_FLOAT;
    case H5Type::float64:
      return H5T_NATIVE_DOUBLE;
    default:
      return H5I_INVALID_HID;
  }
}

void set_group_properties(hid_t list) {
  constexpr unsigned kMostCompact = 400, kLeastDense = 300;
  H5Pset_obj_track_times(list, false);
  H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_link_phase_change(list, kMostCompact, kLeastDense);
  H5Pset_attr_phase_change(list, kMostCompact, kLeastDense);
}

H5Handle text_type() {
  H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

H5Handle space_of(const Dims& dims) {
  if (dims.empty()) return {H5Screate(H5S_SCALAR), H5Sclose};
  const std::vector<hsize_t> sizes(dims.begin(), dims.end());
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose};
}

std::string dims_text(const Dims& dims) {
  std::string text = "[";
  for (Index d : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(d);
  return text + "]";
}

const char* name_of(H5Type type) {
  constexpr const char* kNames[] = {"int8",    "uint8", "int16",       "uint16",  "int32",
                                    "uint32",  "int64", "uint64",      "float16", "float32",
                                    "float64", "text",  "another type"};
  return kNames[static_cast<int>(type)];
}

Index H5Info::size() const {
  Index n = 1;
  for (Index d : dims) n *= d;
  return n;
}

}  // namespace attune
