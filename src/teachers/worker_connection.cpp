#include "teachers/worker_connection.h"

#include <cstdint>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "teachers/curve.h"
#include "teachers/frame.h"
#include "teachers/transport.h"

namespace conclave {
namespace {

constexpr int kSendHighWater = 8;  // frames: answers that wait here are not counted by any credit
constexpr int kReceiveHighWater = 256;
constexpr int kLingerMilliseconds = 500;

}  // namespace

WorkerConnection::WorkerConnection(std::string address, const WorkerKeys& keys)
    : address_(std::move(address)), keys_(keys) {
  reconnect();
}

void WorkerConnection::reconnect() {
  try {
    if (!context_) context_ = context_for(address_);
    socket_.reset();  // before its watch
    watch_.reset();
    socket_.emplace(*context_, zmq::socket_type::dealer);
    secure_client(*socket_, keys_);
    if (address_.rfind("inproc://", 0) != 0) watch_.emplace(*context_, *socket_, keys_);
    socket_->set(zmq::sockopt::immediate, true);
    socket_->set(zmq::sockopt::sndhwm, kSendHighWater);
    socket_->set(zmq::sockopt::rcvhwm, kReceiveHighWater);
    socket_->set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(frame_limits::kMessage));
    socket_->set(zmq::sockopt::linger, kLingerMilliseconds);
    socket_->set(zmq::sockopt::reconnect_ivl_max, 2000);
    socket_->connect(address_);
  } catch (const zmq::error_t& error) {
    throw Error(std::string("can't connect: ") + error.what(), address_,
                "give the trainer's address: tcp://HOST:PORT or ipc://PATH");
  }
}

void WorkerConnection::tend(bool serving, TimePoint now) {
  const std::optional<std::string> reason = watch_ ? watch_->next() : std::nullopt;
  if (serving) {
    trouble_.clear();
    knock_ = {};
  } else if (reason) {
    if (*reason != trouble_) log::warn("{}: {}", address_, *reason);
    trouble_ = *reason;
    knock_ = now + Seconds(1);
  }
  if (knock_ == TimePoint{} || now < knock_) return;
  knock_ = {};
  reconnect();
}

bool WorkerConnection::send(const std::string& frame) {
  return uninterrupted([&] { return socket_->send(zmq::buffer(frame), zmq::send_flags::dontwait); }).has_value();
}

bool WorkerConnection::receive(zmq::message_t& message) {
  while (uninterrupted([&] { return socket_->recv(message, zmq::recv_flags::dontwait); })) {
    if (!message.more()) return true;
    while (message.more() && uninterrupted([&] { return socket_->recv(message); })) {
    }
  }
  return false;
}

}  // namespace conclave
