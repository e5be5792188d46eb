"""FastAPI with async SQLAlchemy and asyncmy, for uvicorn."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from lab.peers.tables import Offer, Product, Refresh

_URL = os.environ["DATABASE_URL"].replace("mysql+pymysql", "mysql+asyncmy")
engine = create_async_engine(_URL)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Database = Annotated[AsyncSession, Depends(get_session)]
Time = Annotated[datetime, BeforeValidator(lambda time: time.replace(tzinfo=UTC))]


class ProductIn(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(max_length=10_000)


class OfferIn(BaseModel):
    price: int = Field(ge=0)
    items_in_stock: int = Field(ge=0)


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str
    registration: str
    created_at: Time
    updated_at: Time


class OfferOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    product_id: int
    source: str
    external_id: str | None
    price: int
    currency: str | None
    items_in_stock: int
    created_at: Time
    updated_at: Time


class ProductsOut(BaseModel):
    items: list[ProductOut]
    next: str | None


class OffersOut(BaseModel):
    items: list[OfferOut]
    next: str | None
    refreshed_at: Time | None
    stale: bool


@app.get("/api/v1/products", response_model=ProductsOut)
async def list_products(
    database: Database, limit: Annotated[int, Query(ge=1, le=200)] = 50, after: int = 0
) -> dict[str, Any]:
    query = select(Product).where(Product.id > after).order_by(Product.id).limit(limit + 1)
    found = (await database.scalars(query)).all()
    page = found[:limit]
    following = f"/api/v1/products?limit={limit}&after={page[-1].id}" if len(found) > limit else None
    return {"items": page, "next": following}


@app.get("/api/v1/products/{product_id}", response_model=ProductOut)
async def get_product(product_id: int, database: Database) -> Product:
    product = await database.get(Product, product_id)
    if product is None:
        raise HTTPException(404)
    return product


@app.get("/api/v1/products/{product_id}/offers", response_model=OffersOut)
async def list_offers(product_id: int, database: Database) -> dict[str, Any]:
    refresh = await database.get(Refresh, product_id)
    if refresh is None:
        raise HTTPException(404)
    query = select(Offer).where(Offer.product_id == product_id).order_by(Offer.id)
    offers = (await database.scalars(query)).all()
    return {"items": offers, "next": None, "refreshed_at": refresh.refreshed_at, "stale": refresh.stale}


@app.get("/api/v1/products/{product_id}/offers/{offer_id}", response_model=OfferOut)
async def get_offer(product_id: int, offer_id: int, database: Database) -> Offer:
    offer = await database.get(Offer, offer_id)
    if offer is None or offer.product_id != product_id:
        raise HTTPException(404)
    return offer


@app.post("/api/v1/products", response_model=ProductOut, status_code=201)
async def create_product(body: ProductIn, database: Database) -> Product:
    product = Product(**body.model_dump())
    database.add(product)
    await database.flush()
    database.add(Refresh(product_id=product.id))
    await database.commit()
    return product


@app.post("/api/v1/products/{product_id}/offers", response_model=OfferOut, status_code=201)
async def create_offer(product_id: int, body: OfferIn, database: Database) -> Offer:
    if await database.get(Product, product_id) is None:
        raise HTTPException(404)
    offer = Offer(product_id=product_id, **body.model_dump())
    database.add(offer)
    await database.commit()
    return offer
