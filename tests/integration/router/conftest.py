from support.rabbitmq import broker

__all__ = ["broker"]
