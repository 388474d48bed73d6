#include "base/json.h"

#include <nlohmann/json.hpp>

namespace attune {
namespace {

using Ordered = nlohmann::ordered_json;

Ordered to_library(const Json& json) {
  if (const auto* list = json.list()) {
    Ordered out = Ordered::array();
    for (const Json& item : *list) out.push_back(to_library(item));
    return out;
  }
  if (const auto* map = json.map()) {
    Ordered out = Ordered::object();
    for (const auto& [key, value] : *map) out[key] = to_library(value);
    return out;
  }
  if (const auto* text = json.text()) return *text;
  if (const auto* boolean = json.boolean()) return *boolean;
  if (const auto* integer = json.integer()) return *integer;
  if (const auto real = json.real()) return *real;
  return nullptr;
}

Json from_library(const Ordered& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::numeric_limits<Index>::max())
    return json.get<double>();
  if (json.is_number()) return json.get<Index>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    Json::List list;
    for (const Ordered& item : json) list.push_back(from_library(item));
    return list;
  }
  if (json.is_object()) {
    Json::Map map;
    for (const auto& [key, value] : json.items()) map.emplace_back(key, from_library(value));
    return map;
  }
  return {};
}

}  // namespace

Json::Json(const FieldValue& value) {
  std::visit(
      [this](const auto& v) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) *this = Json(v);
      },
      value);
}

Json& Json::set(std::string_view key, Json value) {
  if (is_null()) value_ = Map{};
  auto& map = std::get<Map>(value_);
  for (auto& [name, old] : map)
    if (name == key) {
      old = std::move(value);
      return *this;
    }
  map.emplace_back(key, std::move(value));
  return *this;
}

void Json::push(Json value) {
  if (is_null()) value_ = List{};
  std::get<List>(value_).push_back(std::move(value));
}

const Json* Json::find(std::string_view key) const {
  if (const Map* entries = map())
    for (const auto& [name, value] : *entries)
      if (name == key) return &value;
  return nullptr;
}

std::optional<double> Json::real() const {
  if (const auto* real = std::get_if<double>(&value_)) return *real;
  if (const Index* whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

std::string Json::dump() const {
  return to_library(*this).dump(2, ' ', false, Ordered::error_handler_t::replace);
}

Json Json::parse(std::string_view text, std::string_view name) {
  try {
    return from_library(Ordered::parse(text));
  } catch (const Ordered::parse_error& e) {
    throw DamagedError(fmt::format("{} is no JSON from byte {} on", name, e.byte));
  }
}

}  // namespace attune
