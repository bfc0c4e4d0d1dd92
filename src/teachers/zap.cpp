#include "teachers/zap.h"

#include <chrono>

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"

namespace conclave {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";
constexpr const char* kVersion = "1.0";
constexpr std::size_t kFixedParts = 6;

std::string z85(const std::string& bytes) {
  char text[41];
  if (bytes.size() != 32) return {};
  if (zmq_z85_encode(text, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) == nullptr) return {};
  return text;
}

ZapRequest request_of(std::vector<std::string> parts) {
  ZapRequest request;
  std::string* fields[kFixedParts] = {&request.version, &request.id,         &request.domain,
                                      &request.address, &request.routing_id, &request.mechanism};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i < kFixedParts) {
      *fields[i] = std::move(parts[i]);
    } else {
      request.credentials.push_back(std::move(parts[i]));
    }
  }
  return request;
}

}  // namespace

ZapAnswer judge(const ZapRequest& request, AllowList& allowed, TimePoint now) {
  if (request.version != kVersion) return {"500", "not version 1.0 of the authentication protocol", {}};
  if (request.domain != kZapDomain) return {"400", "asks for another service", {}};
  if (request.mechanism != "CURVE") return {"400", "has no key", {}};
  const std::string key = request.credentials.size() == 1 ? z85(request.credentials[0]) : "";
  if (key.empty()) return {"400", "sent something that is not a key", {}};
  const std::optional<std::string> name = allowed.name_of(key, now);
  if (!name) return {"400", "its public key is not among the allowed ones: " + key, {}};
  return {"200", "OK", *name};
}

ZapHandler::ZapHandler(zmq::context_t& context, AllowList allowed, RefusalLog& refusals)
    : allowed_(std::move(allowed)), refusals_(refusals), socket_(context, zmq::socket_type::rep) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind(kEndpoint);
  thread_ = std::thread([this] { serve(); });
}

ZapHandler::~ZapHandler() {
  closing_ = true;
  waker_.wake();
  thread_.join();
}

void ZapHandler::serve() {
  while (!closing_) {
    try {
      wait_for_input(socket_, waker_, std::chrono::milliseconds(1000));
      answer();
    } catch (const std::exception& error) {  // out of memory, say; nobody gets in meanwhile
      log::error("authentication: {}", error.what());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

void ZapHandler::answer() {
  zmq::message_t part;
  while (!closing_ && uninterrupted([&] { return socket_.recv(part, zmq::recv_flags::dontwait); })) {
    std::vector<std::string> parts = {part.to_string()};
    while (part.more() && uninterrupted([&] { return socket_.recv(part); })) parts.push_back(part.to_string());
    const ZapRequest request = request_of(std::move(parts));
    ZapAnswer answer{"500", "the list of allowed keys can't be read", {}};
    try {
      answer = judge(request, allowed_, SystemClock().now());
    } catch (const std::exception& error) {
      log::error("authentication: {}", error.what());
    }
    if (answer.status != "200") refusals_.add(request.address, answer.text);
    for (const std::string& field : {std::string(kVersion), request.id, answer.status, answer.text, answer.user}) {
      uninterrupted([&] { return socket_.send(zmq::buffer(field), zmq::send_flags::sndmore); });
    }
    uninterrupted([&] { return socket_.send(zmq::message_t(), zmq::send_flags::none); });
  }
}

}  // namespace conclave
