"""Django REST framework with its generic views, for gunicorn."""

import os
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import django
import pymysql
from django.conf import settings

_DATABASE = urlsplit(os.environ["DATABASE_URL"])
pymysql.install_as_MySQLdb()
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": _DATABASE.hostname,
            "PORT": _DATABASE.port,
            "USER": _DATABASE.username,
            "PASSWORD": _DATABASE.password or "",
            "NAME": _DATABASE.path[1:],
            # Without it each request would connect anew.
            "CONN_MAX_AGE": None,
        }
    },
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
)
django.setup()

# Django's modules want its settings first.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.shortcuts import get_object_or_404  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework import generics, serializers  # noqa: E402
from rest_framework.pagination import CursorPagination  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402

_STALE_AFTER_S = 90


class Product(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=200)
    description = models.TextField()
    remote_id = models.CharField(max_length=36, default=lambda: str(uuid4()))
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    registered_at = models.DateTimeField(null=True)

    class Meta:
        app_label, db_table, managed = "peers", "products", False


class Refresh(models.Model):
    product = models.OneToOneField(Product, models.CASCADE, primary_key=True)
    due_at = models.DateTimeField(default=timezone.now)
    refreshed_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)

    class Meta:
        app_label, db_table, managed = "peers", "refreshes", False


class Offer(models.Model):
    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, models.CASCADE)
    remote_id = models.CharField(max_length=64, null=True)
    price = models.BigIntegerField()
    items_in_stock = models.BigIntegerField()
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label, db_table, managed = "peers", "offers", False


class ProductSerializer(serializers.ModelSerializer):
    registration = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    class Meta:
        model = Product
        fields = ("id", "name", "description", "registration", "created_at", "updated_at")

    def get_registration(self, product: Any) -> str:
        return "registered" if product.registered_at else "pending"


class OfferSerializer(serializers.ModelSerializer):
    source = serializers.SerializerMethodField()
    external_id = serializers.CharField(source="remote_id", read_only=True)
    price = serializers.IntegerField(min_value=0)
    currency = serializers.SerializerMethodField()
    items_in_stock = serializers.IntegerField(min_value=0)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    class Meta:
        model = Offer
        fields = (
            *("id", "product_id", "source", "external_id", "price", "currency", "items_in_stock"),
            *("created_at", "updated_at"),
        )

    def get_source(self, offer: Any) -> str:
        return "own" if offer.remote_id is None else "external"

    def get_currency(self, _offer: Any) -> None:
        return None


class Pages(CursorPagination):
    ordering = "id"
    page_size_query_param = "limit"
    max_page_size = 200

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "next": self.get_next_link()})


class Products(generics.ListCreateAPIView):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    pagination_class = Pages

    def perform_create(self, serializer: Any) -> None:
        with transaction.atomic():
            Refresh.objects.create(product=serializer.save())


class OneProduct(generics.RetrieveAPIView):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer


class Offers(generics.ListCreateAPIView):
    serializer_class = OfferSerializer

    def list(self, _request: Request, product_id: int) -> Response:
        refreshed_at = get_object_or_404(Refresh, product_id=product_id).refreshed_at
        offers = Offer.objects.filter(product_id=product_id).order_by("id")
        age = None if refreshed_at is None else (timezone.now() - refreshed_at).total_seconds()
        return Response(
            {
                "items": self.get_serializer(offers, many=True).data,
                "next": None,
                "refreshed_at": serializers.DateTimeField().to_representation(refreshed_at),
                "stale": age is None or age > _STALE_AFTER_S,
            }
        )

    def perform_create(self, serializer: Any) -> None:
        serializer.save(product=get_object_or_404(Product, pk=self.kwargs["product_id"]))


class OneOffer(generics.RetrieveAPIView):
    queryset = Offer.objects.all()
    serializer_class = OfferSerializer


urlpatterns = [
    path("api/v1/products", Products.as_view()),
    path("api/v1/products/<int:pk>", OneProduct.as_view()),
    path("api/v1/products/<int:product_id>/offers", Offers.as_view()),
    path("api/v1/products/<int:product_id>/offers/<int:pk>", OneOffer.as_view()),
]
application = get_wsgi_application()
